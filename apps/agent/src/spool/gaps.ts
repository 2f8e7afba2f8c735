import { GAP_REASONS, type GapReason, gapText, type LogLine, type LogStream } from '@peerlab/contracts';

type Part = Omit<LogLine, 'seq'>;

/** A count beyond this is no integer to the peer, which would refuse the record. */
const sumOf = (a: number, b: number): number => Math.min(a + b, Number.MAX_SAFE_INTEGER);

/** What was left out of the streams of one attempt and is not written down yet. */
export class Gaps {
  readonly #open = new Map<LogStream, Part[]>();

  /** Counts what is left out after all that was counted before; one record per reason in a row. */
  add(stream: LogStream, gap: { lines: number; bytes: number; reason: GapReason }, at: number): void {
    const parts = this.#open.get(stream) ?? [];
    this.#open.set(stream, parts);
    const last = parts.at(-1);
    const sum =
      last?.gap?.reason === gap.reason
        ? { ...gap, lines: sumOf(last.gap.lines, gap.lines), bytes: sumOf(last.gap.bytes, gap.bytes) }
        : gap;
    if (sum !== gap) parts.pop();
    parts.push({ at, text: gapText(sum), gap: sum });
  }

  streams(): LogStream[] {
    return [...this.#open.keys()];
  }

  /** Records that have to be written before the next line of the stream. */
  of(stream: LogStream): readonly Part[] {
    return this.#open.get(stream) ?? [];
  }

  written(stream: LogStream): void {
    this.#open.delete(stream);
  }
}

/** What stands for a record that the spool does not have any more. */
export function lostLine(seq: number): LogLine {
  return {
    seq,
    at: Date.now(),
    text: `[gap: this line is missing: ${GAP_REASONS.lost}]`,
    gap: { lines: 1, bytes: 0, reason: 'lost' },
  };
}
