import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError } from './problem.js';
import { sendProblem } from './problem.filter.js';

/** Fastify's name of a path that cannot be decoded. */
const BAD_URL = 'FST_ERR_BAD_URL';

/** 400: the path has a broken escape, or bytes that are no text. */
export function badUrl(): ProblemError {
  return new ProblemError(400, 'bad-request', 'the path is not valid', {
    detail: 'it has a "%" without two hex digits, or bytes that are not UTF-8; write a "%" in a name as %25',
  });
}

/** What is shown to a person. It repeats nothing of the request and needs no script. */
const PAGE = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Not a valid address – Peerlab</title>
<h1>This is not a valid address</h1>
<p>A “%” in it is not followed by two hex digits, or it has bytes that are not text. It may have been cut when it was copied.</p>
<p><a href="/">To the grid</a></p>
</html>
`;

/**
 * Answers requests that Fastify refuses before any route or hook: with a page when a browser opened the address, with
 * a problem document otherwise.
 */
export function sendFrameworkError(error: Error, request: FastifyRequest, reply: FastifyReply): void {
  if (!('code' in error) || error.code !== BAD_URL) return sendProblem(error, request, reply);
  const isPage = request.headers.accept?.startsWith('text/html') === true && !request.url.startsWith('/api/');
  if (!isPage) return sendProblem(badUrl(), request, reply);
  void reply
    .status(400)
    .header('cache-control', 'no-store')
    .header('x-content-type-options', 'nosniff')
    .header('content-security-policy', "default-src 'none'; frame-ancestors 'none'")
    .type('text/html; charset=utf-8')
    .send(PAGE);
}
