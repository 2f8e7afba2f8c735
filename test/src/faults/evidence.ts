import type { Truth } from './lab.js';
import type { TableChange } from './trace-recorder.js';

export interface Finding {
  promise: string;
  detail: string;
}

/** A participant; of a job with one machine its attempt, whose id it has. */
export interface AttemptRow {
  id: string;
  /** Of the attempt, which participants of a job with several roles share. */
  attempt_id: string;
  role: string;
  machine: string;
  fence: number;
  nonce: string;
  state: string;
  failure: { class: string; message: string } | null;
  restored: boolean | null;
  revoked: boolean;
  job_id: string;
  /** How many roles the job has. */
  roles: number;
  number: number;
}

export interface LeaseRow {
  machine: string;
  fence: number;
  attempt_id: string;
  acquired_ms: number;
  released_ms: number | null;
}
export interface StreamRow {
  attempt_id: string;
  stream: string;
  next: number;
  expected: number | null;
}

export interface LineRow {
  seq: number;
  text: string;
}

export interface ResultRow {
  attempt_id: string;
  suite: string;
  test: string;
  status: string;
  verdict: string;
  log: { stream: string; fromSeq: number; toSeq: number } | null;
}

/** What the schedule left behind, read once. */
export interface Evidence {
  attempts: AttemptRow[];
  leases: LeaseRow[];
  streams: StreamRow[];
  results: ResultRow[];
  jobs: { id: string; state: string; verdict: string | null; machine: string; run_id: string }[];
  /** By the beginning. Epoch milliseconds of the database's clock. */
  runs: { created_ms: number; ended_ms: number | null }[];
  truth: Truth[];
  /** What the controllers wrote, in order. */
  changes: TableChange[];
  /** Lines by `attempt stream`. */
  lines: Map<string, LineRow[]>;
  consoles: Map<string, string[]>;
}
