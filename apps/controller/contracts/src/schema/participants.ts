import { z } from 'zod';
import { PathPrediction } from './path-rule.js';
import { FailureClass } from './failure.js';
import { Fence, Name } from './ids.js';
import { KernelSighting } from './kernel-sighting.js';
import { LogStream } from './logs.js';
import { AnyStage, AttemptState, StageStatus } from './states.js';
import { Time } from './time.js';

/** What a machine does in an attempt. Suites get it as an environment variable. */
export const Role = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,31}$/, 'use lower-case letters, digits and dashes, at most 32, starting with a letter');

/** The role in attempts with one participant: builds, and tests on one machine. */
export const SOLE_ROLE = 'main';

/** Roles of one job, and so participants of one attempt. */
export const ROLES_MAX = 8;

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

export const FailureView = z.object({
  class: FailureClass,
  stage: AnyStage.nullable(),
  message: z.string(),
  signature: z.string().nullable(),
  /** Of an attempt with several participants: whose failure it is. */
  role: Role.optional(),
  help: z.string(),
});
export type FailureView = z.infer<typeof FailureView>;

/** How an agent's clock stands to the farm's, in milliseconds: `offsetMs` added to its times gives the farm's, ± `errorMs`. */
export const ClockOffset = z.object({
  offsetMs: z.number().min(-1e13).max(1e13),
  errorMs: z.number().nonnegative().max(1e13),
});
export type ClockOffset = z.infer<typeof ClockOffset>;

/** One machine (or build slot) in an attempt, with its agent and its lease. */
export const ParticipantSummary = z.object({
  id: z.uuid(),
  role: Role,
  state: AttemptState,
  agent: Name,
  /** null for a build */
  machine: Name.nullable(),
  /** The kernel that it boots, or makes. */
  build: z.object({ id: z.uuid(), name: Name }).nullable().default(null),
  fence: Fence,
  startedAt: Time,
  endedAt: Time.nullable(),
  failure: FailureView.nullable(),
  /** Whether the machine was restored; null: not known, or a newer attempt restores it. */
  restored: z.boolean().nullable(),
  stages: z.array(StageView),
  /** Of the agent's clock, as it was last measured in this attempt; null where it was not. */
  clock: ClockOffset.nullable().default(null),
  /**
   * What the kernel that it boots is expected to do, by the rule of its source; null = as the path of the combination. Absent
   * from older controllers.
   */
  prediction: PathPrediction.nullable().optional(),
});
export type ParticipantSummary = z.infer<typeof ParticipantSummary>;

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
export type StreamView = z.infer<typeof StreamView>;

export const ParticipantDetail = ParticipantSummary.extend({
  kernels: z.array(KernelSighting),
  streams: z.array(StreamView),
});
export type ParticipantDetail = z.infer<typeof ParticipantDetail>;
