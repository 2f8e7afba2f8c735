import { type Metric, PerftestReader, reportOf } from '@peerlab/contracts';

/** The line with which a KTAP suite says that what a program of perftest prints comes next; see PerftestReader. */
const LABEL = '# perftest label: ';

/**
 * The figures of perftest between the lines of a KTAP suite. Only a suite that names a label is read, and only up to the
 * result of the running test: the figures belong to that.
 */
export class PerftestFigures {
  #reader: PerftestReader | null = null;

  push(line: string): void {
    if (line.startsWith(LABEL)) this.#reader ??= new PerftestReader();
    this.#reader?.push(line);
  }

  /** The metrics since the last call. */
  take(): Metric[] {
    const reader = this.#reader;
    this.#reader = null;
    return reader === null ? [] : reportOf(reader).metrics;
  }
}
