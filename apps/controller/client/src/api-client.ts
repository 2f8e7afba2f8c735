import { type AnswerOf, type CallOf, requestTo, type Route, type RouteName, type Routes } from '@peerlab/contracts';
import { ApiError, errorOfAnswer, mismatch, parseJson, timedOut, unreachable } from './api-error.js';

/** How long a call may take when it names no limit, in milliseconds. The heaviest answers take seconds. */
const TIMEOUT_MS = 60_000;

/** Routes whose body and answer are JSON. */
export type JsonRoute = Exclude<
  { [N in RouteName]: Routes[N] extends { response: unknown } ? N : never }[RouteName],
  'putArtifact' | 'deliverHook'
>;
/** Routes whose answer is not JSON: logs, patch series, artifacts, badges. */
export type FileRoute = { [N in RouteName]: Routes[N] extends { response: unknown } ? never : N }[RouteName];

export interface ClientOptions<T extends Partial<Routes>> {
  /** The routes that can be called, those of an area or all. */
  routes: T;
  /** Origin of the controller, e.g. http://127.0.0.1:7470. The empty string in a page that the controller served. */
  url: string;
  /** The API token, read for every call; null = none. */
  token: () => string | null;
}

export interface CallOptions {
  /** Ends the call; it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /**
   * Limit in milliseconds, 60 000 unless given. For JSON: to the end of the answer. For a file: to the head of the
   * answer, since a file may be as long as a log. Infinity = none.
   */
  timeoutMs?: number | undefined;
}

/**
 * Some routes of the HTTP API, by their names in the contract. Every method rejects with an ApiError; a call that its
 * signal ended rejects with the signal's reason.
 */
export class ApiClient<T extends Partial<Routes> = Routes> {
  /** Without a slash at its end. */
  readonly url: string;
  /** The token that the next call sends; null = none. */
  readonly token: () => string | null;
  readonly #routes: T;

  constructor({ url, token, routes }: ClientOptions<T>) {
    let end = url.length;
    while (url[end - 1] === '/') end -= 1;
    this.url = url.slice(0, end);
    this.token = token;
    this.#routes = routes;
  }

  /** Calls a route and checks the answer against its schema. */
  async call<N extends JsonRoute & keyof T>(name: N, call: CallOf<N>, options: CallOptions = {}): Promise<AnswerOf<N>> {
    const { method, path, body } = requestTo(this.routeOf(name), call);
    const headers: Record<string, string> = { accept: 'application/json' };
    if (body !== null) headers['content-type'] = 'application/json';
    return this.exchange(name, path, { method, headers, body }, options, async (response) =>
      readJson(name, this.routeOf(name), response, await response.text()),
    );
  }

  /**
   * The content of a file, piece by piece. A connection that is lost on the way fails the stream with the error of
   * the platform.
   */
  async stream<N extends FileRoute & keyof T>(
    name: N,
    call: CallOf<N>,
    options: CallOptions = {},
  ): Promise<ReadableStream<Uint8Array>> {
    const response = await this.#file(name, call, options);
    return response.body ?? new Blob([]).stream();
  }

  /** The content of a file as text in UTF-8. It is held in memory: for a log, use `stream`. */
  async text<N extends FileRoute & keyof T>(name: N, call: CallOf<N>, options: CallOptions = {}): Promise<string> {
    return (await this.blob(name, call, options)).text();
  }

  /** The content of a file with its media type. */
  async blob<N extends FileRoute & keyof T>(name: N, call: CallOf<N>, options: CallOptions = {}): Promise<Blob> {
    const response = await this.#file(name, call, options);
    try {
      return await response.blob();
    } catch (error) {
      options.signal?.throwIfAborted();
      throw unreachable(name, this.url, error);
    }
  }

  #file<N extends FileRoute & keyof T>(name: N, call: CallOf<N>, options: CallOptions): Promise<Response> {
    const { method, path } = requestTo(this.routeOf(name), call);
    return this.exchange(name, path, { method }, options, (response) => Promise.resolve(response));
  }

  /** The declaration of a route that can be called. */
  protected routeOf(name: RouteName & keyof T): Route {
    return this.#routes[name] as Route;
  }

  /** Sends a request and reads the answer, all within the limit of time. */
  protected async exchange<A>(
    name: RouteName,
    path: string,
    init: { method: string; headers?: Record<string, string>; body?: BodyInit | null },
    { signal, timeoutMs = TIMEOUT_MS }: CallOptions,
    read: (response: Response) => Promise<A>,
  ): Promise<A> {
    const token = this.token();
    const headers = { ...init.headers, ...(token === null ? {} : { authorization: `Bearer ${token}` }) };
    const late = new AbortController();
    const timer = Number.isFinite(timeoutMs) ? setTimeout(() => late.abort(), timeoutMs) : undefined;
    // The caller's signal also ends the body of a file, which is read after this method has returned.
    const ends = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]);
    try {
      const response = await fetch(`${this.url}${path}`, { ...init, headers, signal: ends });
      if (!response.ok) throw errorOfAnswer(name, response, await response.text());
      return await read(response);
    } catch (error) {
      if (error instanceof ApiError) throw error;
      signal?.throwIfAborted();
      throw late.signal.aborted ? timedOut(name, this.url, timeoutMs) : unreachable(name, this.url, error);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The answer, checked against the schema of its route. Throws an ApiError when it does not match. */
export function readJson<N extends RouteName>(name: N, route: Route, response: Response, text: string): AnswerOf<N> {
  const parsed = route.response?.safeParse(parseJson(text));
  if (parsed?.success === true) return parsed.data as AnswerOf<N>;
  const issue = parsed?.error.issues[0];
  const field = issue === undefined || issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
  throw mismatch(name, response, `${field}${issue?.message ?? 'no JSON'}`);
}
