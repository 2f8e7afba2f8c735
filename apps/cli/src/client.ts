import { type AnswerOf, type CallOf, Problem, requestOf, type Route, type RouteName, ROUTES } from '@peerlab/contracts';

/** An error answer of the controller, with the fields people need to correct the request. */
export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    const items = problem.errors.map((e) => {
      const at =
        e.line === undefined ? e.path : `line ${e.line}, column ${e.column ?? 1}${e.path === '' ? '' : ` (${e.path})`}`;
      return `  ${at === '' ? '' : `${at}: `}${e.message}${e.remedy === undefined ? '' : ` — ${e.remedy}`}`;
    });
    super([`${problem.title}${problem.detail === undefined ? '' : `: ${problem.detail}`}`, ...items].join('\n'));
    this.name = 'ApiError';
  }
}

/** The controller could not be reached at all. */
export class Unreachable extends Error {
  constructor(url: string, cause: unknown) {
    const code = (cause as { cause?: { code?: string } }).cause?.code;
    super(
      `no controller answers at ${url}${code === undefined ? '' : ` (${code})`}; start one with "npm start" or name it with --url or PEERLAB_URL`,
    );
    this.name = 'Unreachable';
  }
}

export interface Client {
  readonly url: string;
  readonly token: string | null;
  call<N extends RouteName>(name: N, call: CallOf<N>): Promise<AnswerOf<N>>;
  /** Body of an answer that is not JSON, as text pieces in order. */
  text(name: 'getRawLog', call: CallOf<'getRawLog'>): Promise<AsyncIterable<Uint8Array>>;
}

/**
 * A typed client over the contracts' route table. Answers are validated, so a controller of another
 * version is noticed here and not three lines later.
 * @param url without trailing slash, e.g. http://127.0.0.1:7470
 */
export function createClient(url: string, token: string | null): Client {
  let base = url;
  while (base.endsWith('/')) base = base.slice(0, -1);

  async function send(method: string, path: string, body: string | null): Promise<Response> {
    const headers: Record<string, string> = {};
    if (body !== null) headers['content-type'] = 'application/json';
    if (token !== null) headers['authorization'] = `Bearer ${token}`;
    let response: Response;
    try {
      response = await fetch(`${base}${path}`, { method, headers, body });
    } catch (error) {
      throw new Unreachable(base, error);
    }
    if (response.ok) return response;
    const text = await response.text();
    throw new ApiError(readProblem(response.status, text));
  }

  return {
    url: base,
    token,
    async call(name, call) {
      const { method, path, body } = requestOf(name, call);
      const response = await send(method, path, body);
      const route: Route = ROUTES[name];
      return route.response?.parse(await response.json()) as AnswerOf<typeof name>;
    },
    async text(name, call) {
      const { method, path, body } = requestOf(name, call);
      const response = await send(method, path, body);
      if (response.body === null) throw new Error('the answer has no body');
      return response.body;
    },
  };
}

function readProblem(status: number, text: string): Problem {
  try {
    return Problem.parse(JSON.parse(text));
  } catch {
    return {
      title: `HTTP ${status}`,
      status,
      code: 'unknown',
      detail: text.slice(0, 300),
      errors: [],
      correlationId: 'none',
    };
  }
}
