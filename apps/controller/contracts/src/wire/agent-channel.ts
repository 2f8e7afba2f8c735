import { z } from 'zod';
import { PATH_ENDS_MAX } from '../rules/peer-paths.js';
import { BuildError, BundleManifest, KSELFTESTS_MAX, SuiteEntry } from '../schema/bundle.js';
import { CALL_PLACES_MAX, CallPlace } from '../schema/call-places.js';
import { Catalogue } from '../schema/catalogue.js';
import { DriverBuild, DRIVERS_MAX } from '../schema/driver-build.js';
import { BootTrouble, FailureClass } from '../schema/failure.js';
import { EpochMs, Fence, Labels, Name, Sequence, Sha256, SuiteName } from '../schema/ids.js';
import { Inventory } from '../schema/inventory.js';
import { MACHINE_CHECK_RUNS_MAX, MACHINE_CHECKS_MAX, MachineCheck, MachineCheckRun } from '../schema/machine-check.js';
import { KernelSighting } from '../schema/kernel-sighting.js';
import { LOG_BATCH_MAX, LogLine, LogStream } from '../schema/logs.js';
import { MEETING_REASON_MAX, MeetingArrival, MeetingOutcome, MeetingPlace } from '../schema/meeting.js';
import { Metric, REASON_MAX, TEST_ID_MAX } from '../schema/metric.js';
import { MUTANTS_MAX } from '../schema/mutants.js';
import { Commit, ConfigFragment, WorkSource } from '../schema/kernel-source.js';
import { ClockOffset, Role, ROLES_MAX } from '../schema/participants.js';
import { PeerPath } from '../schema/paths.js';
import { Proof } from '../schema/proof.js';
import { RESTORE_DETAIL_MAX } from '../schema/reservations.js';
import { EffectiveTimeouts, SeriesSource } from '../schema/run-spec.js';
import { LeftFile, OwnSuite } from '../schema/suite.js';
import { AnyStage, StageStatus } from '../schema/states.js';
import { InputData, OutputData, TerminalKind, TerminalSize } from '../schema/terminals.js';
import { ResultStatus } from '../schema/verdict.js';

/** Bumped when an older peer could misunderstand. */
export const AGENT_PROTOCOL = 5;
/** What the controller speaks: this version and those before, so that controllers are updated first and agents later. */
export const AGENT_PROTOCOLS: readonly number[] = [4, AGENT_PROTOCOL];
export const AGENT_PATH = '/api/v1/agent';

/** Seconds between heartbeats; a lease outlives LEASE_SECONDS / HEARTBEAT_SECONDS lost ones. */
export const HEARTBEAT_SECONDS = 5;
export const LEASE_SECONDS = 30;
/** An agent without a sign of life for this long is lost; noticed within 15 s, because somebody has to look. */
export const AGENT_LOST_SECONDS = 12;

/**
 * Maxima of what one frame carries, far above what a well-behaved peer of any version sends: they refuse what
 * only a broken one makes. An agent cuts longer values before it sends them (`fitTo`).
 */
const TEXT_MAX = 20_000;
const ID_MAX = 1000;
const WARNINGS_MAX = 1000;
const LIST_MAX = 10_000;

/** Text for people. */
const Text = z.string().max(TEXT_MAX);
/** A value that a machine gave. */
const Id = z.string().max(ID_MAX);

export const TestResult = z.object({
  suite: SuiteName,
  test: z.string().min(1).max(TEST_ID_MAX),
  status: ResultStatus,
  reason: z.string().max(REASON_MAX).nullable(),
  durationMs: z.number().nonnegative().nullable(),
  proof: Proof.nullable(),
  /** Titles of kernel warnings that appeared while it ran. */
  warnings: z.array(Text).max(WARNINGS_MAX),
  signature: Text.nullable(),
  /** Lines of the evidence, both ends included. */
  log: z.object({ stream: LogStream, fromSeq: Sequence, toSeq: Sequence }).nullable(),
});
export type TestResult = z.infer<typeof TestResult>;

/** Tests of one suite. */
export const PLAN_MAX = 5000;

/** Suite name of the farm's own results: `boot` (did the candidate come up) and `restore`. */
export const FARM_SUITE = 'farm';

/** What happened to a participant of an attempt, in order. A sequence of its own, spooled and acknowledged like log lines. */
export const AttemptEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('stage'), stage: AnyStage, status: StageStatus, detail: Text.nullable() }),
  z.object({ type: z.literal('kernel'), sighting: KernelSighting }),
  z.object({ type: z.literal('plan'), suite: SuiteName, tests: z.array(Id).max(PLAN_MAX) }),
  z.object({ type: z.literal('result'), result: TestResult }),
  z.object({ type: z.literal('file'), file: LeftFile }),
  /** Where in the source addresses are that the kernel under test reported; each call once. */
  z.object({ type: z.literal('call-places'), places: z.array(CallPlace).max(CALL_PLACES_MAX) }),
  z.object({ type: z.literal('measurement'), suite: SuiteName, test: Id, metric: Metric }),
  z.object({
    type: z.literal('build-progress'),
    percent: z.number().min(0).max(100),
    text: Text,
    /** The commit that a git source is; said once it is known. */
    commit: Commit.optional(),
  }),
  z.object({
    type: z.literal('built'),
    manifest: BundleManifest,
    bundle: z.object({ sha256: Sha256, sizeBytes: z.number().int().positive() }),
    cached: z.boolean(),
    /** The recipe of the agent's catalogue that it was built by; absent where the agent does not tell. */
    recipe: Sha256.optional(),
    /** The builder's out-of-tree drivers, each with what became of it; absent where it has none. */
    drivers: z.array(DriverBuild).max(DRIVERS_MAX).optional(),
  }),
  z.object({ type: z.literal('build-failed'), error: BuildError }),
  z.object({
    type: z.literal('finished'),
    /** null = every stage ran; the results say the rest. */
    failure: z
      .object({
        class: FailureClass,
        stage: AnyStage.nullable(),
        message: Text,
        signature: Text.nullable(),
        /** Absent = none, and from older agents. */
        trouble: BootTrouble.optional(),
      })
      .nullable(),
    /** false puts the machine into quarantine; null: a newer attempt has the machine, and restores it. */
    restored: z.boolean().nullable(),
    /**
     * The fence that the machine showed when it refused this attempt; absent when it refused nothing. The
     * controller quarantines the machine unless it gave that fence to a newer attempt there.
     */
    fenceSeen: z.number().int().nonnegative().optional(),
    /** Lines produced by stream: what Postgres must hold in the end. */
    lineCounts: z.partialRecord(LogStream, z.number().int().nonnegative()),
  }),
]);
export type AttemptEvent = z.infer<typeof AttemptEvent>;

export const SequencedEvent = z.object({ seq: Sequence, at: EpochMs, event: AttemptEvent });
export type SequencedEvent = z.infer<typeof SequencedEvent>;

/** Log streams plus the event sequence: everything that is spooled and acknowledged by number. */
export const SpoolStream = z.enum([...LogStream.options, 'events']);
export type SpoolStream = z.infer<typeof SpoolStream>;

/** A suite of the bundle, or with `own` one that the run or a lab brings. */
export const WorkSuite = SuiteEntry.extend({ name: SuiteName, own: OwnSuite.optional() });
export type WorkSuite = z.infer<typeof WorkSuite>;

/** What a participant does in its attempt. */
export const Work = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('build'),
    buildName: Name,
    series: z.array(SeriesSource).max(LIST_MAX),
    config: Name,
    /**
     * Absent = the farm's base. Only builders that tell repositories in their catalogue get one, or a fragment; another base
     * only those that name it there.
     */
    source: WorkSource.optional(),
    fragment: ConfigFragment.optional(),
    /** An artifact to start from instead of `config`. Only builders that tell `configFiles` in their catalogue get one. */
    configFile: Sha256.optional(),
    /**
     * Names who submitted it. Builds of one submitter may share what they compiled, and no other build
     * gets it; without it nothing is kept.
     */
    cacheDomain: z
      .string()
      .regex(/^[0-9a-z-]{1,64}$/)
      .optional(),
    /** Targets of tools/testing/selftests that are built with it. Older builders build none. */
    kselftests: z.array(z.string().max(200)).max(KSELFTESTS_MAX).optional(),
    /** The kernel carries at most so many mutants of its series. Older builders make none. */
    mutants: z.object({ count: z.number().int().positive().max(MUTANTS_MAX) }).optional(),
  }),
  z.object({
    kind: z.literal('test'),
    machine: Name,
    buildName: Name,
    bundle: z.object({ sha256: Sha256, sizeBytes: z.number().int().positive() }),
    manifest: BundleManifest,
    /** Out-of-tree drivers that were built against this kernel, or were tried. */
    drivers: z.array(DriverBuild).max(DRIVERS_MAX).optional(),
    suites: z.array(WorkSuite).max(LIST_MAX),
    path: PeerPath,
    /** The machine's other providers: some tests need two. Older controllers do not say. */
    otherProviders: z.array(PeerPath.shape.provider.shape.address).max(PATH_ENDS_MAX).optional(),
    /** Random per participant; must appear in /proc/cmdline as peerlab.nonce=… */
    nonce: z.string().regex(/^[0-9a-f]{32}$/),
    timeouts: EffectiveTimeouts,
    /** The kernel carries mutants of its series: how long they are tried. */
    mutants: z.object({ minutes: z.number().positive() }).optional(),
  }),
]);
export type Work = z.infer<typeof Work>;

/** Another participant of the same attempt. */
export const Peer = z.object({
  role: Role,
  machine: Name,
  /** The name of the build whose kernel it boots. Controllers of protocol 4 did not say. */
  build: Name.optional(),
});
export type Peer = z.infer<typeof Peer>;

export const Assignment = z.object({
  participantId: z.uuid(),
  attemptId: z.uuid(),
  runId: z.uuid(),
  role: Role,
  /** The other participants, in the order of their roles. */
  peers: z.array(Peer).max(ROLES_MAX),
  fence: Fence,
  work: Work,
  /** A fence that the machine showed although no attempt ever had it: the agent may replace it. */
  forgedFence: Fence.optional(),
});
export type Assignment = z.infer<typeof Assignment>;

/**
 * A participant as its agent holds it. `nextSeq` = number of entries produced so far, by stream.
 * `stopping` = it is being brought to its end and its machine restored; `finished` = only its evidence
 * is left to deliver.
 */
export const HeldParticipant = z.object({
  participantId: z.uuid(),
  fence: Fence,
  machine: Name.nullable(),
  stage: AnyStage.nullable(),
  state: z.enum(['running', 'stopping', 'finished']).optional(),
  nextSeq: z.partialRecord(SpoolStream, Sequence),
});
export type HeldParticipant = z.infer<typeof HeldParticipant>;

export const AgentMachine = z.object({
  name: Name,
  description: z.string().max(500),
  labels: Labels,
  reachable: z.boolean(),
  /** Why it is not reachable, in words with a remedy. */
  problem: Text.nullable(),
});
export type AgentMachine = z.infer<typeof AgentMachine>;

/**
 * A reservation as its agent has it. `holding`: it took the machine. `restored` and `not-restored` are told until the
 * controller names it no more; `detail` = what happened.
 */
export const HeldReservation = z.object({
  reservationId: z.uuid(),
  fence: Fence,
  state: z.enum(['holding', 'restoring', 'restored', 'not-restored']),
  detail: z.string().max(RESTORE_DETAIL_MAX).nullable(),
});
export type HeldReservation = z.infer<typeof HeldReservation>;

/** A reservation as the controller wants it: its holder has the machine, or it is to be restored. */
export const WantedReservation = z.object({
  reservationId: z.uuid(),
  machine: Name,
  fence: Fence,
  state: z.enum(['held', 'returning']),
  /** As in an assignment. */
  forgedFence: Fence.optional(),
});
export type WantedReservation = z.infer<typeof WantedReservation>;

/** The whole state, sent in hello and in every heartbeat: nothing depends on an earlier message. */
const AgentState = z.object({
  /** The agent's own number of this report; the answer names it, so that the agent knows how old the answer is. */
  beat: Sequence.optional(),
  machines: z.array(AgentMachine).max(2000),
  participants: z.array(HeldParticipant).max(2000),
  /** Absent from agents that do not restore machines which a person gave back. */
  reservations: z.array(HeldReservation).max(2000).optional(),
});

const BYTES_MAX = 2 ** 50;

/** Space on the agent's disk, for its operators. Absent from agents that do not measure it. */
const AgentDisk = z.object({
  /** What was recorded and is not acknowledged yet. */
  spoolBytes: z.number().int().nonnegative().max(BYTES_MAX).optional(),
  /** How long ago the oldest of it was recorded; 0 = all is acknowledged. */
  spoolLagSeconds: z.number().nonnegative().max(1e9).optional(),
  /** Where the spool is. */
  diskFreeBytes: z.number().int().nonnegative().max(BYTES_MAX).optional(),
});
export type AgentDisk = z.infer<typeof AgentDisk>;

export const FromAgent = z.discriminatedUnion('type', [
  AgentState.extend({
    type: z.literal('hello'),
    protocol: z.number().int(),
    agent: Name,
    site: Name,
    version: Id,
    capabilities: z.array(z.enum(['test', 'build'])).max(16),
    /** Concurrent builds it takes on. */
    buildSlots: z.number().int().nonnegative(),
    /** Concurrent test jobs it takes on; null = as many as it has machines. */
    testSlots: z.number().int().positive().nullable().default(null),
    /** It tells the modules of a bundle which provider and client to take. Older agents test the first pair of a machine. */
    bindsPairs: z.boolean().optional(),
    /** It opens terminals of its machines. */
    opensTerminals: z.boolean().optional(),
    /** What it can build. Agents that build nothing, and older ones, do not say. */
    catalogue: Catalogue.optional(),
  }),
  AgentState.extend({
    type: z.literal('heartbeat'),
    ...AgentDisk.shape,
    /** Measured over the answers to the last heartbeats; absent until there were some, and from older agents. */
    clock: ClockOffset.optional(),
  }),
  z.object({
    type: z.literal('inventory'),
    machine: Name,
    inventory: Inventory,
    /** Absent before it has looked, and from agents that do not look. */
    checks: z.array(MachineCheck).max(MACHINE_CHECKS_MAX).optional(),
    /** What people checked with `peerlab machine`; absent without such a check, and from older agents: then the ones before stay. */
    checkRuns: z.array(MachineCheckRun).max(MACHINE_CHECK_RUNS_MAX).optional(),
  }),
  z.object({ type: z.literal('accepted'), participantId: z.uuid(), fence: Fence }),
  /** Refusing work it cannot start, e.g. a machine it does not own. */
  z.object({ type: z.literal('declined'), participantId: z.uuid(), fence: Fence, reason: Text }),
  z.object({
    type: z.literal('log'),
    participantId: z.uuid(),
    fence: Fence,
    stream: LogStream,
    lines: z.array(LogLine).min(1).max(LOG_BATCH_MAX),
  }),
  z.object({
    type: z.literal('events'),
    participantId: z.uuid(),
    fence: Fence,
    events: z.array(SequencedEvent).min(1).max(LOG_BATCH_MAX),
  }),
  /** Where a participant waits for its peers; sent again until it is answered. Only of attempts with several participants. */
  z.object({
    type: z.literal('meeting'),
    participantId: z.uuid(),
    fence: Fence,
    /** All suites that it is through with. */
    left: z.array(SuiteName).max(LIST_MAX),
    /** Why it comes to no place any more, for instance because its kernel crashed; null while it may. */
    over: z.string().max(MEETING_REASON_MAX).nullable(),
    /** null = it waits nowhere. */
    at: MeetingArrival.nullable(),
  }),
  /** What a terminal printed, in order. */
  z.object({
    type: z.literal('terminal-output'),
    terminalId: z.uuid(),
    number: Sequence,
    data: OutputData,
  }),
  z.object({ type: z.literal('terminal-closed'), terminalId: z.uuid(), reason: Text }),
]);
export type FromAgent = z.infer<typeof FromAgent>;

export const ToAgent = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('welcome'),
    protocol: z.number().int(),
    agent: Name,
    /** What the controller holds of each participant named in hello; absent ones are unknown to it. */
    participants: z
      .array(
        z.object({
          participantId: z.uuid(),
          fence: Fence,
          ackedNext: z.partialRecord(SpoolStream, Sequence),
          /** Why it was taken away, as in `drop`; absent while it is the agent's. */
          revoked: Text.optional(),
        }),
      )
      .max(LIST_MAX),
    /** The number of the hello that this answers. */
    beat: Sequence.optional(),
    /** How long the participants that are not revoked are leased, counted from when that hello was sent. */
    leaseSeconds: z.number().positive().optional(),
  }),
  /**
   * The answer to a heartbeat: the leases that were renewed. They last for
   * `leaseSeconds` from when the heartbeat of that number was sent. What is not named has no lease.
   */
  z.object({
    type: z.literal('renewed'),
    beat: Sequence,
    leaseSeconds: z.number().positive(),
    participants: z.array(z.object({ participantId: z.uuid(), fence: Fence })).max(LIST_MAX),
    /** All reservations of the agent's machines: what is not named is over. Older controllers name none. */
    reservations: z.array(WantedReservation).max(2000).optional(),
    /** The farm's time, which is the database's, when it was answered. Older controllers do not say. */
    at: z.number().positive().optional(),
  }),
  z.object({ type: z.literal('assign'), assignment: Assignment }),
  /** Everything below `next` is stored; it may be dropped from the spool. */
  z.object({ type: z.literal('ack'), participantId: z.uuid(), stream: SpoolStream, next: Sequence }),
  /**
   * Stop, and restore the machine. `revoked` = the lease is gone: deliver what there is, then forget it.
   * `unknown` = there is no such participant: keep nothing.
   */
  z.object({
    type: z.literal('drop'),
    participantId: z.uuid(),
    code: z.enum(['revoked', 'unknown']).optional(),
    reason: Text,
  }),
  z.object({ type: z.literal('cancel'), participantId: z.uuid(), reason: Text }),
  /** Another participant of the attempt failed: stop, restore the machine, deliver the evidence. */
  z.object({ type: z.literal('stop'), participantId: z.uuid(), reason: Text }),
  /** How waiting at a place ended. */
  z.object({ type: z.literal('meeting'), participantId: z.uuid(), place: MeetingPlace, outcome: MeetingOutcome }),
  /** Open a terminal; only to agents that said that they do. */
  TerminalSize.extend({
    type: z.literal('terminal-open'),
    terminalId: z.uuid(),
    machine: Name,
    kind: TerminalKind,
  }),
  /** What a person typed. A number that is missing was lost, and the terminal ends. */
  z.object({ type: z.literal('terminal-input'), terminalId: z.uuid(), number: Sequence, data: InputData }),
  /** Everything below `next` was taken by the person: as many more may be sent as OUTPUT_WINDOW says. */
  z.object({ type: z.literal('terminal-ack'), terminalId: z.uuid(), next: Sequence }),
  TerminalSize.extend({ type: z.literal('terminal-resize'), terminalId: z.uuid() }),
  z.object({ type: z.literal('terminal-close'), terminalId: z.uuid(), reason: Text }),
  /** Read the inventory of a machine again. */
  z.object({ type: z.literal('probe'), machine: Name }),
  z.object({
    type: z.literal('refused'),
    code: z.enum(['protocol', 'agent-name', 'malformed', 'too-large']),
    message: Text,
  }),
]);
export type ToAgent = z.infer<typeof ToAgent>;
