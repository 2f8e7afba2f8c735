import { cutText, type TestResult } from '@peerlab/contracts';

const REMARKS_KEPT = 3;
/** Longest remark, in characters. */
const REMARK_MAX = 600;

/** A test that was announced and has no result yet. */
export interface RunningTest {
  test: string;
  /** `performance.now()` at its announcement. */
  startedAt: number;
  fromSeq: number;
  proof: TestResult['proof'];
  /** The first REMARKS_KEPT diagnostics; the first is nearly always the cause. */
  remarks: string[];
  remarksLeftOut: number;
  /** Lines of plain output, and bytes of all output, so far. */
  lines: number;
  bytes: number;
  saidFull: boolean;
  metrics: number;
}

/** @param fromSeq number of the line that announced it */
export function beginTest(test: string, fromSeq: number, startedAt: number): RunningTest {
  const nothing = { lines: 0, bytes: 0, saidFull: false, metrics: 0 };
  return { test, startedAt, fromSeq, proof: null, remarks: [], remarksLeftOut: 0, ...nothing };
}

/** Takes a diagnostic of a test. */
export function remark(running: RunningTest, text: string): void {
  if (running.remarks.length < REMARKS_KEPT) running.remarks.push(cutText(text, REMARK_MAX));
  else running.remarksLeftOut += 1;
}

/** Its diagnostics in one line; empty when there was none. */
export function remarksOf({ remarks, remarksLeftOut }: RunningTest): string {
  return [...remarks, ...(remarksLeftOut > 0 ? [`and ${remarksLeftOut} more lines`] : [])].join('; ');
}
