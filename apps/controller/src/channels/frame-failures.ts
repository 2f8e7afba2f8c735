import { z } from 'zod';
import { isDataError, isStatementError } from '../platform/database/pg-error.js';

/** How often frames about one attempt or machine may fail with an error of this program before they are refused. */
const TRIES = 3;
/** Attempts and machines whose failures are counted; above it all counts are reset. */
const SUBJECTS_MAX = 10_000;

/** A frame that is never handled: its machine or attempt is refused instead. */
export class FrameRefused extends Error {}

/**
 * Separates frames that may be handled later from those that never can. An agent repeats frames that were not
 * acknowledged: one that fails every time would end each of its connections, and with them all its leases.
 */
export class FrameFailures {
  readonly #counts = new Map<string, number>();

  /** Runs `work`. Throws FrameRefused when the values cannot be stored, or when it failed too often. */
  async guard(subject: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#counts.delete(subject);
    } catch (error) {
      if (isDataError(error)) {
        throw new FrameRefused(`the database cannot store it (${error.code})`, { cause: error });
      }
      // An unreachable database is not a fault of the frame.
      if (!isOwnError(error)) throw error;
      const count = (this.#counts.get(subject) ?? 0) + 1;
      if (count < TRIES) {
        if (this.#counts.size >= SUBJECTS_MAX) this.#counts.clear();
        this.#counts.set(subject, count);
        throw error;
      }
      this.#counts.delete(subject);
      throw new FrameRefused(`the controller failed at it ${TRIES} times; its log has the error`, { cause: error });
    }
  }
}

const isOwnError = (error: unknown): boolean =>
  isStatementError(error) || error instanceof TypeError || error instanceof RangeError || error instanceof z.ZodError;
