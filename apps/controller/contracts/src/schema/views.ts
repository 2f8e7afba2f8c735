import { z } from 'zod';
import { CombinationIdentity } from './combination.js';
import { ExpectedStart } from './expected-start.js';
import { FailureClass } from './failure.js';
import { Fence, Labels, Name, Sequence, Sha256 } from './ids.js';
import { Inventory } from './inventory.js';
import { KernelSighting } from './kernel-sighting.js';
import { LogLine, LogStream } from './logs.js';
import { Metric } from './metric.js';
import { PathKind, PeerPath } from './paths.js';
import { ProblemItem } from './problem.js';
import { RunSpec } from './run-spec.js';
import { AnyStage, AttemptState, JobState, MachineDesired, MachineObserved, RunState, StageStatus } from './states.js';
import { Proof, ResultStatus, Verdict } from './verdict.js';
import { timeCursor } from './time-cursor.js';

/** What the HTTP API answers. Times are ISO 8601 in UTC from the database's clock. */
const Time = z.iso.datetime();

export const Combination = z.object({ hash: Sha256, label: z.string(), identity: CombinationIdentity });
export type Combination = z.infer<typeof Combination>;

export const RunSummary = z.object({
  id: z.uuid(),
  name: z.string(),
  state: RunState,
  /** Null until the first result; then the worst so far. */
  verdict: Verdict.nullable(),
  counts: z.partialRecord(Verdict, z.number().int().nonnegative()),
  jobs: z.object({ total: z.number().int(), ended: z.number().int() }),
  trigger: z.object({ kind: z.enum(['user', 'webhook']), detail: z.string() }),
  builds: z.array(Name),
  createdAt: Time,
  startedAt: Time.nullable(),
  endedAt: Time.nullable(),
  cancelRequested: z.boolean(),
});
export type RunSummary = z.infer<typeof RunSummary>;

/** Where a page of runs ends: `time~run`. */
export const RunCursor = timeCursor(z.uuid());
export type RunCursor = z.infer<typeof RunCursor>;

/** One line of the list of runs. `cursor` is the `before` of a page that begins after it. */
export const ListedRun = RunSummary.extend({ cursor: z.string() });
export type ListedRun = z.infer<typeof ListedRun>;

export const StageView = z.object({
  stage: AnyStage,
  status: StageStatus,
  startedAt: Time,
  endedAt: Time.nullable(),
  detail: z.string().nullable(),
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
  progress: z.object({ percent: z.number(), text: z.string() }).nullable(),
});
export type AttemptSummary = z.infer<typeof AttemptSummary>;

export const JobView = z.object({
  id: z.uuid(),
  kind: z.enum(['build', 'test']),
  build: Name,
  buildId: z.uuid(),
  state: JobState,
  verdict: Verdict.nullable(),
  machine: Name.nullable(),
  combination: Combination.nullable(),
  /** Why it does not run yet, in words with numbers; null once it runs. */
  waiting: z.string().nullable(),
  attempts: z.array(AttemptSummary),
});
export type JobView = z.infer<typeof JobView>;

export const RunDetail = RunSummary.extend({
  spec: RunSpec,
  yaml: z.string().nullable(),
  jobViews: z.array(JobView),
  /** Who keeps it from being removed by retention, and why; null when nobody does. */
  pin: z.object({ by: z.string(), reason: z.string().nullable(), at: Time }).nullable(),
});
export type RunDetail = z.infer<typeof RunDetail>;

export const ResultView = z.object({
  suite: Name,
  test: z.string(),
  position: z.number().int(),
  status: ResultStatus,
  verdict: Verdict,
  reason: z.string().nullable(),
  durationMs: z.number().nullable(),
  proof: Proof.nullable(),
  warnings: z.array(z.string()),
  signature: z.string().nullable(),
  log: z.object({ stream: LogStream, fromSeq: Sequence, toSeq: Sequence }).nullable(),
});
export type ResultView = z.infer<typeof ResultView>;

export const MeasurementView = Metric.extend({ suite: Name, test: z.string(), median: z.number() });
export type MeasurementView = z.infer<typeof MeasurementView>;

export const StreamView = z.object({
  stream: LogStream,
  lines: z.number().int(),
  /** Lines the agent says it produced, those that stand for gaps included; null while it runs. */
  expected: z.number().int().nullable(),
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
  kernels: z.array(KernelSighting),
  results: z.array(ResultView),
  measurements: z.array(MeasurementView),
  streams: z.array(StreamView),
});
export type AttemptDetail = z.infer<typeof AttemptDetail>;

export const LogPage = z.object({
  attemptId: z.uuid(),
  stream: LogStream,
  lines: z.array(LogLine),
  /** Lines stored so far: sequence numbers run from 0 to total − 1. None once they were removed. */
  total: z.number().int(),
  /** When retention removed the lines. */
  removedAt: Time.nullable().default(null),
  /** True when no more lines will come. */
  complete: z.boolean(),
});
export type LogPage = z.infer<typeof LogPage>;

export const MachineView = z.object({
  name: Name,
  site: Name,
  agent: Name,
  description: z.string(),
  labels: Labels,
  desired: MachineDesired,
  /** Who wanted it so, why and since when: `name` null = the farm itself; null = nobody ever said anything. */
  desiredBy: z.object({ name: z.string().nullable(), reason: z.string().nullable(), at: Time }).nullable(),
  observed: MachineObserved,
  /** Why it is not usable, with a remedy; null when it is. */
  problem: z.string().nullable(),
  /** Its agent still has it in its configuration; if not, new runs leave it out. */
  configured: z.boolean(),
  lastSeenAt: Time.nullable(),
  lease: z.object({ attemptId: z.uuid(), runId: z.uuid(), fence: Fence, expiresAt: Time }).nullable(),
  inventory: Inventory.nullable(),
  /** By address. The suites use the first provider with the first client, so jobs and the grid speak of the first. */
  paths: z.array(PeerPath.extend({ combination: Combination })),
});
export type MachineView = z.infer<typeof MachineView>;

/** A machine among others: its inventory is as large as all the rest. */
export const MachineSummary = MachineView.omit({ inventory: true });
export type MachineSummary = z.infer<typeof MachineSummary>;

export const AgentView = z.object({
  name: Name,
  site: Name,
  version: z.string(),
  capabilities: z.array(z.string()),
  connected: z.boolean(),
  lastSeenAt: Time.nullable(),
});
export type AgentView = z.infer<typeof AgentView>;

export const Fleet = z.object({ machines: z.array(MachineSummary), agents: z.array(AgentView) });
export type Fleet = z.infer<typeof Fleet>;

/** One column of the grid: a kernel build on one hardware combination. */
export const GridColumn = z.object({
  combination: Combination,
  build: z.object({
    id: z.uuid(),
    name: Name,
    release: z.string().nullable(),
    buildId: z.string().nullable(),
    dmaAlias: z.boolean().nullable(),
    /** Name of the kernel configuration. */
    config: Name.nullable(),
  }),
  machine: Name.nullable(),
  runId: z.uuid(),
  runName: z.string(),
  jobId: z.uuid(),
  attemptId: z.uuid().nullable(),
  state: JobState,
  verdict: Verdict.nullable(),
  /** When the newest result of the column was stored. */
  at: Time.nullable(),
  /** Stored log lines of the attempt by stream. */
  logLines: z.partialRecord(LogStream, z.number().int()),
});
export type GridColumn = z.infer<typeof GridColumn>;

export const GridCell = z.object({
  row: z.number().int(),
  column: z.number().int(),
  verdict: Verdict,
  reason: z.string().nullable(),
  durationMs: z.number().nullable(),
  proof: Proof.nullable(),
  log: z.object({ stream: LogStream, fromSeq: Sequence, toSeq: Sequence }).nullable(),
});
export type GridCell = z.infer<typeof GridCell>;

export const GridMetricRow = z.object({
  suite: Name,
  /** The test that measured it. */
  test: z.string(),
  name: z.string(),
  unit: z.string(),
  better: z.enum(['lower', 'higher']),
  /** By column index; null where it was not measured. Spread = lower and upper quartile. */
  values: z.array(
    z
      .object({ median: z.number(), lowerQuartile: z.number(), upperQuartile: z.number(), n: z.number().int() })
      .nullable(),
  ),
});

/** Beyond it a grid's cells are opened for the reason. */
export const GRID_NOTES_MAX = 2000;

export const GridRow = z.object({
  suite: Name,
  test: z.string(),
  /** The letter of VERDICT_TABLE for each column; `.` where it never ran. */
  verdicts: z.string(),
});
export type GridRow = z.infer<typeof GridRow>;

/**
 * Results by test (rows) and hardware combination × build (columns), columns sorted so that builds of
 * one combination are neighbours.
 */
export const Grid = z.object({
  columns: z.array(GridColumn),
  rows: z.array(GridRow),
  /** Why, of cells that say that something is wrong; the first GRID_NOTES_MAX of them. */
  notes: z.array(z.object({ row: z.number().int(), column: z.number().int(), reason: z.string() })),
  /** All that is known of each cell that ran; none unless they were asked for. */
  cells: z.array(GridCell),
  metrics: z.array(GridMetricRow),
  generatedAt: Time,
});
export type Grid = z.infer<typeof Grid>;

export const TemplateView = z.object({ name: Name, description: z.string(), yaml: z.string() });
export type TemplateView = z.infer<typeof TemplateView>;

/** Answer to a dry run of a submission. */
export const SubmissionReport = z.object({
  ok: z.boolean(),
  problems: z.array(ProblemItem),
  /** What would run; empty when not ok. */
  plan: z.array(
    z.object({
      build: Name,
      machine: Name,
      combination: z.string(),
      pathKind: PathKind,
      suites: z.array(Name),
      start: ExpectedStart,
    }),
  ),
  /** Machines that do not match, and why. */
  unmatched: z.array(z.object({ machine: Name, why: z.string() })),
});
export type SubmissionReport = z.infer<typeof SubmissionReport>;
