import { z } from 'zod';
import { Sequence, SuiteName } from './ids.js';
import { LogStream } from './logs.js';
import { Metric } from './metric.js';
import { Role, ROLES_MAX } from './participants.js';
import { Proof } from './proof.js';
import { ResultStatus, Verdict } from './verdict.js';
import { Suspect } from './suspects.js';

/**
 * Where the evidence of a result stands in its attempt's log, both ends included; null = it has no lines. `role` says
 * in whose log, where an attempt has several participants.
 */
export const EvidenceLines = z
  .object({ stream: LogStream, fromSeq: Sequence, toSeq: Sequence, role: Role.optional() })
  .nullable();

export const ResultView = z.object({
  /** Of the participant that reported it. */
  role: Role,
  suite: SuiteName,
  test: z.string(),
  position: z.number().int(),
  status: ResultStatus,
  verdict: Verdict,
  reason: z.string().nullable(),
  durationMs: z.number().nullable(),
  proof: Proof.nullable(),
  warnings: z.array(z.string()),
  signature: z.string().nullable(),
  log: EvidenceLines,
});
export type ResultView = z.infer<typeof ResultView>;

/** A result with what became known of its machine afterwards, and what the other participants report of the same test. */
export const ResultEvidence = ResultView.extend({
  suspects: z.array(Suspect).max(ROLES_MAX).default([]),
  others: z.array(ResultView).default([]),
});
export type ResultEvidence = z.infer<typeof ResultEvidence>;

export const MeasurementView = Metric.extend({ role: Role, suite: SuiteName, test: z.string(), median: z.number() });
export type MeasurementView = z.infer<typeof MeasurementView>;
