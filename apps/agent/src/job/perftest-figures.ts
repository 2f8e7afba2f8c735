import { type Metric, PerftestReader, reportOf } from '@peerlab/contracts';

/** The line with which a KTAP suite says that what a program of perftest prints comes next; see PerftestReader. */
const LABEL = '# perftest label: ';

/**
 * The figures of perftest between the lines of a KTAP suite. Only a suite that names a label is read, and only up to the
 * result of the running test: the figures belong to that.
 */
export class PerftestFigures {
  #reader: PerftestReader | null = null;

  /** Whether the line is a label, and so no remark of the test. */
  push(line: string): boolean {
    const isLabel = line.startsWith(LABEL);
    if (isLabel) this.#reader ??= new PerftestReader();
    this.#reader?.push(line);
    return isLabel;
  }

  /** The metrics since the last call, and perftest's first complaint. */
  take(): { metrics: Metric[]; complaint: string | null } {
    const reader = this.#reader;
    this.#reader = null;
    if (reader === null) return { metrics: [], complaint: null };
    const { metrics, problems } = reportOf(reader);
    return { metrics, complaint: problems.find(({ severity }) => severity === 'error')?.text ?? null };
  }
}
