import { lazyRouteComponent as lazyComponent } from '@tanstack/react-router';
import { isControllerUp } from './api/client.js';

/** Pause between two checks whether the controller answers again, in milliseconds. */
const PAUSE_MS = 1000;

/**
 * Imports code that is fetched on demand. While the controller does not answer, it waits and tries again, and the
 * previous page stays. A failure although the controller answers, as after an update, is thrown.
 */
export function whenThere<T>(
  importer: () => Promise<T>,
  isThere: () => Promise<boolean> = isControllerUp,
  pause: () => Promise<void> = () => new Promise((done) => setTimeout(done, PAUSE_MS)),
): () => Promise<T> {
  return async () => {
    for (;;) {
      const tried = await attempt(importer);
      if (tried.ok) return tried.value;
      if (await isThere()) return importer();
      await pause();
    }
  };
}

async function attempt<T>(importer: () => Promise<T>): Promise<{ ok: true; value: T } | { ok: false }> {
  try {
    return { ok: true, value: await importer() };
  } catch {
    // The caller tries again and lets that failure through when the controller answers.
    return { ok: false };
  }
}

/** Like the router's function, which would reload the page even if the controller cannot serve it. */
export const lazyRouteComponent: typeof lazyComponent = (importer, exportName) =>
  lazyComponent(whenThere(importer), exportName);
