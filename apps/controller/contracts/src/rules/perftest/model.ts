import type { Metric } from '../../schema/metric.js';
import type { Column } from './columns.js';
import type { PerftestProblem } from './messages.js';
import type { PerftestProgram } from './program.js';

/** A row of a table, or the results of a JSON form. */
export interface PerftestRow {
  bytes: number;
  iterations: number | null;
  /** Service level, where rows are by level. */
  level: number | null;
  values: { column: Column; value: number }[];
}

/** One test: what a program printed from its title on. */
export interface PerftestRun {
  /** Null when the title is missing. */
  program: PerftestProgram | null;
  form: 'text' | 'json';
  /** The side that printed it: a server says that it waits for its client. */
  role: 'server' | 'client';
  /** What a script said of it by a line `# perftest label: TEXT`: perftest does not print all of its options. */
  label: string;
  /** That of 6.06, which Debian 12 has, or of later versions; null where nothing tells. */
  dialect: '6.06' | 'later' | null;
  /** By the names that perftest prints, such as `Device`, `Mtu`, `Connection type`. */
  settings: Record<string, string>;
  /** Whether its end was seen: the rule below the table, or the last bracket. */
  isWhole: boolean;
  rows: PerftestRow[];
}

/** What an output of perftest says. The output itself stays in the log of the attempt, every byte of it. */
export interface PerftestReport {
  runs: PerftestRun[];
  /** One for each program, column and message size; every row of it is a sample. */
  metrics: Metric[];
  problems: PerftestProblem[];
  /** `failed`: there is an error; `empty`: no error and no figure. */
  outcome: 'measured' | 'failed' | 'empty';
}
