import { readConsolePrefix } from '../console-prefix.js';
import { CrashReader, type CrashReport } from './reader.js';

/** Reports of one log that are listed; a kernel that warns at every access prints millions. */
export const CRASH_REPORTS_MAX = 1000;

/** The first CRASH_REPORTS_MAX reports in a whole log, in the order of their first lines. */
export function readCrashes(lines: Iterable<string>): CrashReport[] {
  const reports: CrashReport[] = [];
  const reader = new CrashReader((report) => {
    if (reports.length < CRASH_REPORTS_MAX) reports.push(report);
  });
  for (const line of lines) reader.push(line);
  reader.end();
  return reports.toSorted((one, other) => one.startLine - other.startLine);
}

/** How /dev/kmsg escapes the line ends in a record. */
const ESCAPED_LINE_END = String.raw`\x0a`;

/** The lines of a record of the kernel's log, each with what stands before the first: up to its `;`, or its time. */
export function recordLines(record: string): string[] {
  const [first = '', ...rest] = record.split(ESCAPED_LINE_END);
  if (rest.length === 0) return [first];
  const { length } = readConsolePrefix(first);
  return [first, ...rest.map((line) => first.slice(0, length) + line)];
}

/** Watches a console for the first report that ends the kernel. Push every line in order; ask as often as wanted. */
export class CrashWatch {
  #crash: CrashReport | null = null;
  /** The panic that ends it may come after it was over. */
  #latest: CrashReport | null = null;
  readonly #reader = new CrashReader((report) => {
    this.#look();
    this.#latest = report;
    this.#look();
  });

  /** @param line the number that the report's lines get */
  push(text: string, line: number): void {
    if (this.#crash === null) this.#reader.push(text, line);
  }

  /** The report as far as it was read: its title gets its function with the lines behind the first. */
  get crash(): CrashReport | null {
    this.#look();
    return this.#crash ?? this.#reader.open().find(({ severity }) => severity === 'crash') ?? null;
  }

  #look(): void {
    if (this.#latest?.severity === 'crash') this.#crash ??= this.#latest;
  }
}
