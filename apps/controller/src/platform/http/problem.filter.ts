import { randomUUID } from 'node:crypto';
import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Problem } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError } from './problem.js';

/** Connection-level failures of pg and node: the database is away, try again later. */
const DATABASE_AWAY = new Set(['ECONNREFUSED', 'ENOENT', 'ECONNRESET', '57P01', '57P03', '53300']);

type Answer = Omit<Problem, 'correlationId'>;

/** Every error leaves as Problem JSON; the correlation id also stands in the log line. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    sendProblem(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }
}

/** Answers with the problem that an error is; also for errors that Fastify meets before any route. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const correlationId = typeof request.id === 'string' ? request.id : randomUUID();
  const answer = describeError(error, request.url);
  if (answer.status >= 500 && !(error instanceof ProblemError)) {
    const { method, url } = request;
    // Without the query, which may hold secrets.
    log.error({ correlationId, method, path: url.split('?', 1)[0], err: error }, 'request-failed');
  }
  if (reply.sent) return;
  if (error instanceof ProblemError && error.retryAfterSeconds !== undefined) {
    reply.header('retry-after', String(error.retryAfterSeconds));
  }
  void reply
    .header('cache-control', 'no-store')
    .status(answer.status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .header('x-correlation-id', correlationId)
    .send(JSON.stringify({ ...answer, correlationId } satisfies Problem));
}

/** What may be told of an error; nothing internal leaves. */
export function describeError(error: unknown, url: string): Answer {
  if (error instanceof ProblemError) {
    const { status, code, message: title, detail, errors } = error;
    return { title, status, code, ...(detail === undefined ? {} : { detail }), errors };
  }
  const status = statusOf(error);
  if (status === 404) {
    return { title: `there is nothing at ${url.split('?')[0]}`, status, code: 'not-found', errors: [] };
  }
  if (status === 413) return { title: 'the body is too large', status, code: 'too-large', errors: [] };
  if (status === 415) {
    return { title: 'send the body as application/json', status, code: 'unsupported-media-type', errors: [] };
  }
  if (status < 500) {
    const message = error instanceof Error ? error.message : 'bad request';
    return { title: message, status, code: status === 400 ? 'bad-request' : 'refused', errors: [] };
  }
  if (error instanceof Error && 'code' in error && DATABASE_AWAY.has(String(error.code))) {
    return {
      title: 'the database does not answer',
      status: 503,
      code: 'database-away',
      detail: 'try again in a moment',
      errors: [],
    };
  }
  return {
    title: 'internal server error',
    status: 500,
    code: 'controller-bug',
    detail: 'please report it with the correlation id',
    errors: [],
  };
}

function statusOf(error: unknown): number {
  if (error instanceof HttpException) return error.getStatus();
  if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number') return error.statusCode;
  return 500;
}
