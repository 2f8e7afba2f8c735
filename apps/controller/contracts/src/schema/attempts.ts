import { z } from 'zod';
import { Combination } from './combination.js';
import { BootNumber } from './boot-number.js';
import { Fence, Name } from './ids.js';
import { KernelSighting } from './kernel-sighting.js';
import {
  FailureView,
  ParticipantDetail,
  ParticipantSummary,
  Role,
  ROLES_MAX,
  SOLE_ROLE,
  StageView,
  StreamView,
} from './participants.js';
import { MeasurementView, ResultView } from './results.js';
import { AttemptState } from './states.js';
import { LeftFile } from './suite.js';
import { Time } from './time.js';
import { Suspect } from './suspects.js';

export const AttemptSummary = z.object({
  id: z.uuid(),
  number: z.number().int().positive(),
  state: AttemptState,
  /** In the order of the job's roles, at least one. The fields agent to stages are those of the first one. */
  participants: z.array(ParticipantSummary),
  agent: Name,
  machine: Name.nullable(),
  fence: Fence,
  startedAt: Time,
  endedAt: Time.nullable(),
  /** Summed up over the participants. */
  failure: FailureView.nullable(),
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

export const AttemptDetail = AttemptSummary.extend({
  participants: z.array(ParticipantDetail),
  run: z.object({ id: z.uuid(), name: z.string() }),
  jobId: z.uuid(),
  kind: z.enum(['build', 'test']),
  build: Name,
  /** Of the build that it makes or tests. */
  buildId: z.uuid(),
  combination: Combination.nullable(),
  /** Null without `repeat`. */
  boot: BootNumber.nullable().default(null),
  /** Of the first participant, as the streams. */
  kernels: z.array(KernelSighting),
  results: z.array(ResultView),
  measurements: z.array(MeasurementView),
  /** What its suites left, by suite and name. */
  /** What suites left; `role`: of the participant that uploaded it. */
  files: z.array(LeftFile.extend({ role: Role.default(SOLE_ROLE) })).default([]),
  streams: z.array(StreamView),
  /** The machines of it that turned out sick after it ran. */
  suspects: z.array(Suspect).max(ROLES_MAX).default([]),
});
export type AttemptDetail = z.infer<typeof AttemptDetail>;
