import { log } from '@peerlab/runtime';
import { type BuildSettings, runBuildJob } from '../job/build-job.js';
import type { BundleCache } from '../job/bundle-cache.js';
import { JobFailure } from '../job/failure.js';
import { MachineRecords } from '../job/machine-record.js';
import { PACE, type Pace } from '../job/pace.js';
import { AttemptContext } from '../job/attempt-context.js';
import { recoverTestJob, runTestJob } from '../job/test-job.js';
import { WorkLimit } from '../job/work-limit.js';
import type { Machine } from '../machine/protocols.js';
import type { KernelSymbols } from '../symbols/kernel-symbols.js';
import type { HeldAttempt } from './held-attempt.js';

/** What jobs need beside the attempt itself. */
export interface JobSettings {
  /** Survives a restart of the agent and a reboot of its computer. */
  stateDir: string;
  machines: readonly Machine[];
  bundles: BundleCache;
  /** Finds addresses of reports in the source; absent = they are not looked up. */
  symbols?: KernelSymbols;
  /** null = this agent does not build. */
  build: BuildSettings | null;
  pace?: Pace;
  /** A machine was found otherwise than its inventory says. */
  onOtherHardware?: (machine: string) => void;
}

/** Longest build; a kernel with a debug config takes ten minutes on two cores. */
const BUILD_LIMIT_MS = 2 * 3600 * 1000;

/** Runs the job of an attempt to its `finished` event, or finishes an interrupted one. */
export class JobRunner {
  readonly #machines: Map<string, Machine>;
  readonly #records: MachineRecords;

  readonly #settings: JobSettings;

  constructor(settings: JobSettings) {
    this.#settings = settings;
    this.#records = new MachineRecords(settings.stateDir);
    this.#machines = new Map(settings.machines.map((machine) => [machine.name, machine]));
  }

  hasMachine(name: string): boolean {
    return this.#machines.has(name);
  }

  /** A fresh attempt, from when its lease has begun. Rejects with AgentStopping or on a bug. */
  async perform(held: HeldAttempt): Promise<void> {
    await held.lease.whenBegun(held.stop.signal);
    const { assignment } = held.spool.record;
    const { work } = assignment;
    const limitMs = work.kind === 'build' ? BUILD_LIMIT_MS : work.timeouts.attemptSeconds * 1000;
    const late = new JobFailure('timeout', `the attempt ran past its limit of ${Math.round(limitMs / 1000)} s`);
    const limit = new WorkLimit(limitMs, () => held.stop.abort(late));
    try {
      if (work.kind === 'test') await this.#test(this.#contextOf(held, limit));
      else if (this.#settings.build === null) throw new Error('a build was accepted without build settings');
      else await runBuildJob(this.#settings.build, assignment, work, held.spool, held.stop.signal);
    } finally {
      limit.end();
    }
  }

  async #test(context: AttemptContext): Promise<void> {
    await runTestJob(context);
    if (context.hasOtherHardware) this.#settings.onOtherHardware?.(context.machine.name);
  }

  /** Finishes an attempt that a previous agent process left unfinished: its machine is restored. */
  async recover(held: HeldAttempt): Promise<void> {
    const { assignment, stage } = held.spool.record;
    if (assignment.work.kind === 'test' && this.hasMachine(assignment.work.machine)) {
      await recoverTestJob(this.#contextOf(held));
      return;
    }
    const message =
      assignment.work.kind === 'build'
        ? `the agent restarted in stage ${stage ?? 'fetch'}`
        : `the agent restarted and has no machine "${assignment.work.machine}" any more`;
    held.spool.appendLine('agent', message);
    held.spool.appendEvent({
      type: 'finished',
      failure: { class: 'infrastructure', stage, message, signature: null },
      restored: assignment.work.kind === 'build',
      lineCounts: held.spool.lineCounts(),
    });
  }

  /** Reports a job that threw: its machine is in an unknown state. */
  endBroken({ spool }: HeldAttempt, problem: string): void {
    if (spool.finished) return;
    try {
      spool.appendEvent({
        type: 'finished',
        failure: {
          class: 'agent-bug',
          stage: spool.record.stage,
          message: problem.slice(0, 2000),
          signature: null,
        },
        restored: !spool.record.touched,
        lineCounts: spool.lineCounts(),
      });
    } catch (error) {
      log.error({ participant: spool.participantId, err: error }, 'spool-fault');
    }
  }

  #contextOf({ spool, stop, lease, meetings }: HeldAttempt, limit: WorkLimit | null = null): AttemptContext {
    const { assignment } = spool.record;
    if (assignment.work.kind !== 'test') throw new Error('a build has no test context');
    const machine = this.#machines.get(assignment.work.machine);
    if (machine === undefined) throw new Error(`no machine ${assignment.work.machine}`);
    const { bundles, pace = PACE } = this.#settings;
    return new AttemptContext(
      assignment,
      assignment.work,
      machine,
      bundles,
      spool,
      pace,
      stop.signal,
      lease,
      this.#records,
      assignment.peers.length === 0 ? null : meetings,
      this.#settings.symbols ?? null,
      limit,
    );
  }
}
