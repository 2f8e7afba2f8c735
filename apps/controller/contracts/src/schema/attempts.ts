import { z } from 'zod';
import { Combination } from './combination.js';
import { BootNumber } from './boot-number.js';
import { FailureClass } from './failure.js';
import { Fence, Name } from './ids.js';
import { KernelSighting } from './kernel-sighting.js';
import { LogStream } from './logs.js';
import { MeasurementView, ResultView } from './results.js';
import { AnyStage, AttemptState, StageStatus } from './states.js';
import { LeftFile } from './suite.js';
import { Time } from './time.js';

export const StageView = z.object({
  stage: AnyStage,
  status: StageStatus,
  startedAt: Time,
  endedAt: Time.nullable(),
  detail: z.string().nullable(),
  /**
   * Of a running stage: the median of the times that it took before on the same machine, in milliseconds. Absent while
   * fewer than three are known.
   */
  usualMs: z.number().nonnegative().optional(),
});
export type StageView = z.infer<typeof StageView>;

export const AttemptSummary = z.object({
  id: z.uuid(),
  number: z.number().int().positive(),
  state: AttemptState,
  agent: Name,
  machine: Name.nullable(),
  fence: Fence,
  startedAt: Time,
  endedAt: Time.nullable(),
  failure: z
    .object({
      class: FailureClass,
      stage: AnyStage.nullable(),
      message: z.string(),
      signature: z.string().nullable(),
      help: z.string(),
    })
    .nullable(),
  restored: z.boolean().nullable(),
  stages: z.array(StageView),
  /** Build attempts only, 0–100. */
  progress: z
    .object({
      percent: z.number(),
      text: z.string(),
      /** Its bundle was there already: nothing was compiled. */
      cached: z.boolean().default(false),
    })
    .nullable(),
});
export type AttemptSummary = z.infer<typeof AttemptSummary>;

export const StreamView = z.object({
  stream: LogStream,
  lines: z.number().int(),
  /** Lines the agent says it produced, those that stand for gaps included; null while it runs. */
  expected: z.number().int().nullable(),
  /** Size of its raw log, estimated from what is stored; 0 once retention removed it. */
  bytes: z.number().int().nonnegative().default(0),
  /** When retention removed the lines. */
  removedAt: Time.nullable().default(null),
});

export const AttemptDetail = AttemptSummary.extend({
  run: z.object({ id: z.uuid(), name: z.string() }),
  jobId: z.uuid(),
  kind: z.enum(['build', 'test']),
  build: Name,
  /** Of the build that it makes or tests. */
  buildId: z.uuid(),
  combination: Combination.nullable(),
  /** Null without `repeat`. */
  boot: BootNumber.nullable().default(null),
  kernels: z.array(KernelSighting),
  results: z.array(ResultView),
  measurements: z.array(MeasurementView),
  /** What its suites left, by suite and name. */
  files: z.array(LeftFile).default([]),
  streams: z.array(StreamView),
});
export type AttemptDetail = z.infer<typeof AttemptDetail>;
