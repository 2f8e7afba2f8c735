import { ApiClient, ApiError, type FileRoute, type JsonRoute } from '@peerlab/client';
import { requestTo, SERVICE_ROUTES, type AnswerOf, type CallOf, type Route, type Routes } from '@peerlab/contracts';
import { askForToken, getToken } from './token.js';

/**
 * The routes of an area of the API, as the controller that served this page answers them. Each area has one in its file
 * of this folder, so that a page loads the schemas of its own areas only.
 */
export class Api<T extends Partial<Routes>> {
  readonly routes: T;
  readonly #client: ApiClient<T>;

  constructor(routes: T) {
    this.routes = routes;
    this.#client = new ApiClient({ routes, url: '', token: getToken });
  }

  /**
   * Calls a route. A 401 opens the token dialog, and the call is repeated when a token is given; every other failure is
   * an ApiError.
   */
  call<N extends JsonRoute & keyof T>(name: N, given: CallOf<N>, signal?: AbortSignal): Promise<AnswerOf<N>> {
    return withToken(() => this.#client.call(name, given, { signal }));
  }

  /** Asks for a file as `call` does and reads nothing of it; rejects with an ApiError when the controller refuses it. */
  checkFile<N extends FileRoute & keyof T>(name: N, given: CallOf<N>): Promise<void> {
    return withToken(async () => (await this.#client.stream(name, given)).cancel());
  }

  /** Asks for a file as `call` does; the content comes piece by piece. */
  file<N extends FileRoute & keyof T>(
    name: N,
    given: CallOf<N>,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>> {
    return withToken(() => this.#client.stream(name, given, { signal }));
  }

  /** The address of a file, without a token. */
  pathOf<N extends FileRoute & keyof T>(name: N, given: CallOf<N>): string {
    return requestTo(this.routes[name] as Route, given).path;
  }
}

const service = new ApiClient({ routes: SERVICE_ROUTES, url: '', token: getToken });

/** Whether the controller and its database answer. Never rejects. */
export async function isControllerUp(): Promise<boolean> {
  try {
    await service.call('health', {});
    return true;
  } catch {
    return false;
  }
}

/** What the controller says about a token. `problem`: why it is not accepted, in a sentence; null when it is. */
export interface Identity {
  user: string | null;
  problem: string | null;
}

const REFUSALS: Readonly<Record<number, string>> = {
  401: 'The controller does not know this token. It may be cut off, revoked, or of another farm.',
  403: 'This token belongs to an agent. People need a user token.',
  429: 'Too many wrong tokens came from this address. Wait a minute and try again.',
};

/** Asks the controller whose token this is. Opens no dialog. Throws ApiError when the controller does not answer. */
export async function identify(token: string): Promise<Identity> {
  try {
    const { user } = await new ApiClient({ routes: SERVICE_ROUTES, url: '', token: () => token }).call('session', {});
    return { user, problem: null };
  } catch (error) {
    const refusal = error instanceof ApiError ? REFUSALS[error.problem.status] : undefined;
    if (refusal === undefined) throw error;
    return { user: null, problem: refusal };
  }
}

async function withToken<T>(send: () => Promise<T>): Promise<T> {
  for (;;) {
    const hadToken = getToken() !== null;
    try {
      return await send();
    } catch (error) {
      const needsToken = error instanceof ApiError && error.problem.status === 401;
      if (!needsToken || !(await askForToken(hadToken ? 'refused' : 'missing'))) throw error;
    }
  }
}
