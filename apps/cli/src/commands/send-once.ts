import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { ApiError } from '@peerlab/client';

/** A controller that is started again, or another one in its place, answers within these. */
const TRIES = 4;
const TRY_AGAIN_MS = 1000;

/** Sends what makes a run, again while the controller does not answer: under one id it is one run. */
export async function sendOnce<T>(send: (id: string) => Promise<T>): Promise<T> {
  const id = randomUUID();
  for (let tries = 1; ; tries += 1) {
    try {
      return await send(id);
    } catch (error) {
      if (!(error instanceof ApiError && error.isTransient) || tries === TRIES) throw error;
      await pause(TRY_AGAIN_MS);
    }
  }
}
