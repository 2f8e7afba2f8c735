import { setTimeout as pause } from 'node:timers/promises';
import { ApiError } from '@peerlab/client';

/** Does again what failed because a controller or the database was away. */
export async function persist<T>(act: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await act();
    } catch (error) {
      const away = error instanceof ApiError && error.isTransient;
      if (!away && !(error instanceof TypeError)) throw error;
      if (tries > 300) throw error;
      await pause(150);
    }
  }
}
