import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';

/** How long one request may take, in milliseconds. */
export const REQUEST_MS = 15_000;
/** What is read of an answer, in bytes. */
const ANSWER_MAX_BYTES = 2 * 1024 * 1024;
/** Longest pause that a forge may ask for, in seconds. */
const RETRY_AFTER_MAX = 3600;

/** A forge did not take a request; the message is for administrators and has no token. */
export class ForgeError extends Error {
  /** Null when there was no answer. */
  readonly status: number | null;
  /** The pause that the forge asks for, in seconds. */
  readonly retryAfterSeconds: number | null;

  constructor(message: string, status: number | null, retryAfterSeconds: number | null = null) {
    super(message);
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export interface ForgeAnswer {
  status: number;
  /** Undefined when the body is no JSON. */
  value: unknown;
}

/**
 * Requests to one forge. The address is of the hooks file and nothing else adds to it but path segments, which are
 * escaped; no redirect is followed, so that no answer can send the controller elsewhere. Certificates are checked.
 */
export class ForgeClient {
  readonly #api: URL;
  readonly #ca: string | null;
  readonly #headers: Readonly<Record<string, string>>;

  /** @param api with a slash at its end. @param ca authorities in PEM form; null = those of Node.js */
  constructor(api: URL, ca: string | null, headers: Readonly<Record<string, string>>) {
    this.#api = api;
    this.#ca = ca;
    this.#headers = headers;
  }

  /**
   * Sends JSON to a path below the forge's address. Throws ForgeError for every answer but 2xx.
   * @param segments parts of the path, escaped here
   */
  async call(
    method: 'GET' | 'POST' | 'PATCH' | 'PUT',
    segments: readonly string[],
    body?: object,
    query: Readonly<Record<string, string>> = {},
  ): Promise<unknown> {
    const answer = await this.#send(method, this.#addressOf(segments, query), body);
    if (answer.status >= 200 && answer.status < 300) return answer.value;
    const { host } = this.#api;
    throw new ForgeError(
      `${method} ${segments.join('/')} at ${host}: ${answer.status}${messageOf(answer.value)}`,
      answer.status,
      answer.retryAfterSeconds,
    );
  }

  #addressOf(segments: readonly string[], query: Readonly<Record<string, string>>): URL {
    if (segments.some((segment) => segment === '' || segment === '.' || segment === '..'))
      throw new Error(`the path ${segments.join('/')} has an empty or a dotted segment`);
    const address = new URL(segments.map(encodeURIComponent).join('/'), this.#api);
    address.search = new URLSearchParams(query).toString();
    return address;
  }

  #send(
    method: string,
    address: URL,
    body: object | undefined,
  ): Promise<ForgeAnswer & { retryAfterSeconds: number | null }> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const options = {
      method,
      headers: {
        accept: 'application/json',
        'user-agent': 'peerlab',
        ...(text === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        ...this.#headers,
      },
      signal: AbortSignal.timeout(REQUEST_MS),
      ...(this.#ca === null ? {} : { ca: this.#ca }),
    };
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        const why = error.name === 'TimeoutError' ? `no answer within ${REQUEST_MS / 1000} s` : error.message;
        reject(new ForgeError(`${method} at ${address.host}: ${why}`, null));
      };
      const send = address.protocol === 'https:' ? requestHttps : requestHttp;
      const request = send(address, options, (response) => {
        readAnswer(response).then(
          (value) => resolve({ status: response.statusCode ?? 0, value, retryAfterSeconds: pauseOf(response) }),
          fail,
        );
      });
      request.on('error', fail);
      request.end(text);
    });
  }
}

async function readAnswer(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_MAX_BYTES) throw new Error(`the answer is longer than ${ANSWER_MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

/** Retry-After in seconds, or GitHub's time at which requests are allowed again; null without either. */
function pauseOf({ headers }: IncomingMessage): number | null {
  const given = Number(headers['retry-after']);
  if (headers['retry-after'] !== undefined && Number.isFinite(given))
    return Math.min(RETRY_AFTER_MAX, Math.max(0, given));
  const reset = Number(headers['x-ratelimit-reset']);
  if (headers['x-ratelimit-remaining'] !== '0' || !Number.isFinite(reset)) return null;
  return Math.min(RETRY_AFTER_MAX, Math.max(0, reset - Date.now() / 1000));
}

/** What a forge says of an error, shortened: a stranger may have made it. */
function messageOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return '';
  const text = Object.entries(value)
    .filter(([key]) => key === 'message' || key === 'error' || key === 'errors')
    .map(([, said]) => (typeof said === 'string' ? said : JSON.stringify(said)))
    .join(' ');
  return text === '' ? '' : ` ${text.slice(0, 300)}`;
}
