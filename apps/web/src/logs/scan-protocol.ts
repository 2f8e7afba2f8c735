import type { LogQuery, Ranges } from './query.js';

/** To scan-worker.ts: lines of which it should say where they match. Lines have no control sequences. */
export interface ScanRequest {
  id: number;
  query: LogQuery;
  lines: readonly string[];
  /** Whether to answer with the places in each line, or with the lines alone. */
  wantsRanges: boolean;
}

/** From it. */
export type ScanAnswer =
  | { id: number; problem: string }
  | {
      id: number;
      problem: null;
      /** Indices of the lines that match. */
      hits: readonly number[];
      /** Places in each of those lines; empty unless asked for. */
      ranges: readonly Ranges[];
    };
