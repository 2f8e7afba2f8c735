import { Problem, requestOf, ROUTES, type AnswerOf, type CallOf, type Route, type RouteName } from '@peerlab/contracts';
import { askForToken, getToken } from './token.js';

/** Any failed call. `problem.code` is `unreachable` when no answer came and `contract` when it made no sense. */
export class ApiError extends Error {
  constructor(
    readonly problem: Problem,
    readonly route: RouteName,
  ) {
    super(problem.detail ?? problem.title);
    this.name = 'ApiError';
  }
}

function failure(route: RouteName, code: string, title: string, detail: string, correlationId = ''): ApiError {
  return new ApiError({ title, status: 0, code, detail, errors: [], correlationId }, route);
}

/**
 * Calls a route of the contract and checks the answer against its schema. A 401 opens the token
 * dialog and repeats the call once a token is given; every other failure is an ApiError.
 */
export async function call<N extends RouteName>(name: N, given: CallOf<N>, signal?: AbortSignal): Promise<AnswerOf<N>> {
  const { method, path, body } = requestOf(name, given);
  for (;;) {
    const token = getToken();
    const headers: Record<string, string> = { accept: 'application/json' };
    if (body !== null) headers['content-type'] = 'application/json';
    if (token !== null) headers['authorization'] = `Bearer ${token}`;
    const response = await send(name, path, { method, headers, body, ...(signal && { signal }) });
    if (response.status === 401 && (await askForToken(token !== null))) continue;
    return readAnswer(name, response);
  }
}

/** Content of a file of the API, with the token. Throws an Error that says why it is not to be had. */
export async function fetchFile(path: string): Promise<Blob> {
  for (;;) {
    const token = getToken();
    const response = await fetch(path, token === null ? {} : { headers: { authorization: `Bearer ${token}` } });
    if (response.ok) return response.blob();
    if (response.status === 401 && (await askForToken(token !== null))) continue;
    const problem = Problem.safeParse(parseJson(await response.text()));
    throw new Error(problem.success ? problem.data.title : `The controller answered ${response.status}`);
  }
}

async function send(name: RouteName, path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw failure(
      name,
      'unreachable',
      'The controller does not answer',
      'No connection to the controller. It may be restarting; this page tries again by itself.',
    );
  }
}

async function readAnswer<N extends RouteName>(name: N, response: Response): Promise<AnswerOf<N>> {
  const route: Route = ROUTES[name];
  const text = await response.text();
  const json = parseJson(text);
  if (!response.ok) {
    const problem = Problem.safeParse(json);
    if (problem.success) throw new ApiError(problem.data, name);
    const correlationId = response.headers.get('x-correlation-id') ?? '';
    const title = `The controller answered ${response.status}`;
    throw new ApiError(
      { title, status: response.status, code: 'unknown', detail: text.slice(0, 300), errors: [], correlationId },
      name,
    );
  }
  if (route.response === undefined) return undefined as AnswerOf<N>;
  const parsed = route.response.safeParse(json);
  if (parsed.success) return parsed.data as AnswerOf<N>;
  const first = parsed.error.issues[0];
  throw failure(
    name,
    'contract',
    'The answer has a shape that this page does not know',
    `${name}: ${first?.path.join('.') ?? ''} ${first?.message ?? ''}. Reload the page; if it stays, the controller and the page are of different versions.`,
    response.headers.get('x-correlation-id') ?? '',
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
