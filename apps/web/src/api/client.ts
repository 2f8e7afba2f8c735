import { ApiError, HttpClient, type FileRoute, type JsonRoute } from '@peerlab/client';
import type { AnswerOf, CallOf } from '@peerlab/contracts';
import { askForToken, getToken } from './token.js';

/** The controller that served this page. */
const client = new HttpClient({ url: '', token: getToken });

/**
 * Calls a route of the API. A 401 opens the token dialog, and the call is repeated when a token is given; every other
 * failure is an ApiError.
 */
export function call<N extends JsonRoute>(name: N, given: CallOf<N>, signal?: AbortSignal): Promise<AnswerOf<N>> {
  return withToken(() => client.call(name, given, { signal }));
}

/** The content of a file of the API. Asks for a token and fails as `call` does. */
export function fetchFile<N extends FileRoute>(name: N, given: CallOf<N>): Promise<Blob> {
  return withToken(() => client.blob(name, given));
}

/** Whether the controller and its database answer. Never rejects. */
export async function isControllerUp(): Promise<boolean> {
  try {
    await client.call('health', {});
    return true;
  } catch {
    return false;
  }
}

async function withToken<T>(send: () => Promise<T>): Promise<T> {
  for (;;) {
    const hadToken = getToken() !== null;
    try {
      return await send();
    } catch (error) {
      const needsToken = error instanceof ApiError && error.problem.status === 401;
      if (!needsToken || !(await askForToken(hadToken))) throw error;
    }
  }
}
