import type { ClockOffset } from '@peerlab/contracts';

/** Answers that are remembered: a minute of heartbeats. The clock of a computer may be set meanwhile. */
const KEPT = 12;

/**
 * Measures how this computer's clock stands to the farm's, from the answers to heartbeats: the farm's time in an answer was
 * read at some moment between the heartbeat and the answer, so the middle is wrong by half of that time at most.
 */
export class ClockMeasure {
  readonly #samples: ClockOffset[] = [];

  /**
   * @param farmMs the farm's time in the answer, and @param nowMs this computer's now, both milliseconds since 1970
   * @param tookMs from the heartbeat to its answer, by a clock that is not set
   */
  note(farmMs: number, nowMs: number, tookMs: number): void {
    this.#samples.push({ offsetMs: farmMs - (nowMs - tookMs / 2), errorMs: tookMs / 2 });
    if (this.#samples.length > KEPT) this.#samples.shift();
  }

  /** The surest of the last measurements; null before the first one. */
  get best(): ClockOffset | null {
    return this.#samples.reduce<ClockOffset | null>(
      (best, one) => (best === null || one.errorMs < best.errorMs ? one : best),
      null,
    );
  }
}
