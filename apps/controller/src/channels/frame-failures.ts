import { z } from 'zod';
import { isDataError, isStatementError } from '../platform/database/pg-error.js';

/** Times that frames about one attempt or machine may fail at an error of this program before they are refused. */
const TRIES = 3;
/** Attempts and machines whose failures are remembered; beyond that all are forgotten, and tried again. */
const SUBJECTS_MAX = 10_000;

/** A frame that is not handled, now or when it comes again: it costs what it is about. */
export class FrameRefused extends Error {}

/**
 * Tells frames that can be handled later from those that never can. An agent sends again what was not acknowledged:
 * one that fails each time would end all its connections, and with them all its leases.
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
      // A database that is away says nothing about the frame.
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
