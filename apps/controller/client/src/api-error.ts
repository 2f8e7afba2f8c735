import { Problem, type ProblemItem, type RouteName } from '@peerlab/contracts';

/** Longest part of an answer that is not a problem document and is repeated in the message, in characters. */
const ECHO_MAX = 300;

/**
 * Every failed call of the HTTP API. The message has a title, the detail, and one line for each problem with its
 * remedy. `problem.code` is the controller's own, or one of:
 * `unreachable` (no answer came), `timeout` (no answer within the limit), `contract` (the answer does not match the
 * schema of the route), `unknown` (an error answer without a problem document). `problem.status` is the HTTP status, 0
 * when there was no usable answer.
 */
export class ApiError extends Error {
  readonly problem: Problem;
  readonly route: RouteName;

  constructor(problem: Problem, route: RouteName, options?: ErrorOptions) {
    super(problemText(problem), options);
    this.name = 'ApiError';
    this.problem = problem;
    this.route = route;
  }

  /** Whether the same call may succeed later: no answer came, there were too many calls, or the server failed. */
  get isTransient(): boolean {
    const { code, status } = this.problem;
    return code === 'unreachable' || code === 'timeout' || status === 429 || status >= 500;
  }
}

/** Reads an error answer. An answer without a problem document becomes a problem with the code `unknown`. */
export function errorOfAnswer(route: RouteName, response: Response, text: string): ApiError {
  const problem = Problem.safeParse(parseJson(text));
  if (problem.success) return new ApiError(problem.data, route);
  const title = `The controller answered ${response.status}`;
  const detail = text.trim() === '' ? {} : { detail: text.slice(0, ECHO_MAX) };
  return new ApiError(
    { title, status: response.status, code: 'unknown', ...detail, errors: [], correlationId: correlationOf(response) },
    route,
  );
}

/** @param url where the controller was expected; the empty string in a page that the controller served */
export function unreachable(route: RouteName, url: string, cause: unknown): ApiError {
  const code = systemCodeOf(cause);
  const where = url === '' ? '' : ` at ${url}`;
  const title = `The controller does not answer${where}${code === null ? '' : ` (${code})`}`;
  return new ApiError({ title, status: 0, code: 'unreachable', errors: [], correlationId: '' }, route, { cause });
}

/** @param limitMs how long the call waited, in milliseconds */
export function timedOut(route: RouteName, url: string, limitMs: number): ApiError {
  const where = url === '' ? '' : ` at ${url}`;
  const title = `The controller${where} did not answer ${route} within ${limitMs / 1000} s`;
  return new ApiError({ title, status: 0, code: 'timeout', errors: [], correlationId: '' }, route);
}

/** The answer does not match the schema of the route: the controller is of another version, or it is none. */
export function mismatch(route: RouteName, response: Response, issue: string): ApiError {
  return new ApiError(
    {
      title: 'The answer does not match the API of this version',
      status: 0,
      code: 'contract',
      detail: `${route}: ${issue}. Controller and client are of different versions; update the older one.`,
      errors: [],
      correlationId: correlationOf(response),
    },
    route,
  );
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function correlationOf(response: Response): string {
  return response.headers.get('x-correlation-id') ?? '';
}

function problemText({ title, detail, errors }: Problem): string {
  return [detail === undefined ? title : `${title}: ${detail}`, ...errors.map((item) => `  ${itemText(item)}`)].join(
    '\n',
  );
}

function itemText({ path, message, remedy, line, column }: ProblemItem): string {
  const field = path === '' ? '' : ` (${path})`;
  const place = line === undefined ? path : `line ${line}, column ${column ?? 1}${field}`;
  return `${place === '' ? '' : `${place}: `}${message}${remedy === undefined ? '' : ` — ${remedy}`}`;
}

/** `ECONNREFUSED` and the like, which Node puts into the cause of a failed fetch; null where there is none. */
function systemCodeOf(error: unknown): string | null {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? cause.code : null;
  return typeof code === 'string' ? code : null;
}
