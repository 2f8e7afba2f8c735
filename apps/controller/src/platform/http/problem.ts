import { problemItems, type ProblemItem } from '@peerlab/contracts';
import type { z } from 'zod';

export interface ProblemOptions {
  detail?: string;
  errors?: ProblemItem[];
  cause?: unknown;
  /** Sent as Retry-After. */
  retryAfterSeconds?: number;
}

/** An error that people shall see: thrown by services, turned into Problem JSON by the filter. */
export class ProblemError extends Error {
  readonly status: number;
  /** Machine-readable name in kebab case. */
  readonly code: string;
  readonly detail: string | undefined;
  readonly errors: ProblemItem[];
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, code: string, title: string, options: ProblemOptions = {}) {
    super(title, { cause: options.cause });
    this.status = status;
    this.code = code;
    this.detail = options.detail;
    this.errors = options.errors ?? [];
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** 404 with the kind and the id of what is missing. */
export function notFound(kind: string, id: string): ProblemError {
  return new ProblemError(404, 'not-found', `there is no ${kind} ${id}`);
}

/** Longest foreign text that a message repeats, in characters. */
const ECHO_MAX = 100;

/** 421: the request names a host that is not this controller's. */
export function foreignHost(host: string | undefined): ProblemError {
  const named = host === undefined || host === '' ? 'no host' : `the host "${host.slice(0, ECHO_MAX)}"`;
  return new ProblemError(421, 'foreign-host', `the request names ${named}, which is not one of this controller`, {
    detail: 'to serve it under this name, add the name to PEERLAB_HOSTS (or "hosts" in the configuration file)',
  });
}

/** 400 for paths and queries, 422 for bodies, with one item per issue. */
export function invalidInput(part: 'params' | 'query' | 'body', error: z.ZodError): ProblemError {
  const errors = problemItems(error);
  const first = errors[0];
  const detail = first === undefined ? {} : { detail: `${first.path === '' ? part : first.path}: ${first.message}` };
  return new ProblemError(
    part === 'body' ? 422 : 400,
    'invalid-input',
    `the ${part === 'params' ? 'path' : part} is not valid`,
    {
      ...detail,
      errors,
    },
  );
}
