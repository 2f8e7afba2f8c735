import { lazyRouteComponent as lazyComponent } from '@tanstack/react-router';
import { isControllerUp } from './api/client.js';

/** Between two looks whether the controller is there again, in milliseconds. */
const PAUSE_MS = 1000;

/**
 * Imports code that is fetched when it is needed. While the controller is away it waits, and the page
 * before stays; a failure while the controller is there, as after an update of it, is the caller's.
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
    // Whether it fails again, once the controller is there, decides.
    return { ok: false };
  }
}

/** As the router's, which would reload the page although nobody is there to serve it. */
export const lazyRouteComponent: typeof lazyComponent = (importer, exportName) =>
  lazyComponent(whenThere(importer), exportName);
