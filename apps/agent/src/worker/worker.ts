import { join } from 'node:path';
import type { Assignment, FromAgent, HeldAttempt, ToAgent } from '@peerlab/contracts';
import { type BuildSettings, runBuildJob } from '../job/build-job.js';
import type { BundleCache } from '../job/bundle-cache.js';
import { AgentStopping, JobFailure } from '../job/failure.js';
import { PACE, type Pace } from '../job/pace.js';
import { TestBench } from '../job/test-bench.js';
import { recoverTestJob, runTestJob } from '../job/test-job.js';
import { type Journal, messageOf } from '../journal.js';
import type { Machine } from '../machine/protocols.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { SpoolDisk } from '../spool/spool-disk.js';
import { AttemptSender } from '../spool/sender.js';

export interface WorkerSettings {
  stateDir: string;
  /** The space of all attempts' spools together. */
  spool?: SpoolDisk;
  machines: readonly Machine[];
  bundles: BundleCache;
  /** null = this agent does not build. */
  build: BuildSettings | null;
  buildSlots: number;
  takesTests: boolean;
  journal: Journal;
  send: (frame: FromAgent) => boolean;
  pace?: Pace;
}

/** Longest build; a kernel with a debug config takes ten minutes on two cores. */
const BUILD_LIMIT_MS = 2 * 3600 * 1000;

interface Held {
  spool: AttemptSpool;
  sender: AttemptSender;
  /** Aborted with the reason that ends the job. */
  stop: AbortController;
  running: boolean;
  /** The controller wants nothing more of it. */
  dropped: boolean;
}

const machineOf = (assignment: Assignment): string | null =>
  assignment.work.kind === 'test' ? assignment.work.machine : null;

/** Holds the attempts of this agent: starts, cancels, drops and recovers them, one per machine. */
export class Worker {
  private readonly held = new Map<string, Held>();
  private readonly machines: Map<string, Machine>;
  /** By machine: ends when the jobs that were started on it so far are through. */
  private readonly queues = new Map<string, Promise<void>>();
  private readonly root: string;
  private readonly disk: SpoolDisk;
  private stopped = false;

  constructor(private readonly settings: WorkerSettings) {
    this.machines = new Map(settings.machines.map((machine) => [machine.name, machine]));
    this.root = join(settings.stateDir, 'spool');
    this.disk = settings.spool ?? new SpoolDisk();
  }

  /** Takes up what an earlier life of the agent left: interrupted jobs are ended, the rest is sent. */
  start(): void {
    for (const spool of AttemptSpool.openAll(this.root, this.disk)) {
      const held = this.hold(spool);
      this.settings.journal.info('attempt-found', { attempt: spool.attemptId, finished: spool.finished });
      if (!spool.finished) this.launch(held, () => this.recover(held));
    }
  }

  /** The agent ends: jobs stop where they are, the next start restores their machines. */
  stop(): void {
    this.stopped = true;
    for (const held of this.held.values()) {
      held.sender.stop();
      held.stop.abort(new AgentStopping());
    }
  }

  isBusy(machine: string): boolean {
    return [...this.held.values()].some((held) => held.running && machineOf(held.spool.memory.assignment) === machine);
  }

  attempts(): HeldAttempt[] {
    return [...this.held.values()]
      .filter((held) => !held.dropped)
      .map(({ spool }) => ({
        attemptId: spool.attemptId,
        fence: spool.fence,
        machine: machineOf(spool.memory.assignment),
        stage: spool.memory.stage,
        nextSeq: spool.nextSeq(),
      }));
  }

  receive(message: ToAgent): void {
    switch (message.type) {
      case 'welcome':
        this.resume(message.attempts);
        return;
      case 'assign':
        this.assign(message.assignment);
        return;
      case 'ack':
        this.held.get(message.attemptId)?.sender.acknowledge(message.stream, message.next);
        return;
      case 'drop':
        this.drop(message.attemptId, message.reason);
        return;
      case 'cancel': {
        const held = this.held.get(message.attemptId);
        if (held?.running === true) held.stop.abort(new JobFailure('canceled', message.reason));
        return;
      }
      case 'probe':
      case 'refused':
        return;
    }
  }

  /** The connection is gone; jobs go on and fill their spools. */
  pauseSending(): void {
    for (const held of this.held.values()) held.sender.pauseSending();
  }

  private resume(known: Extract<ToAgent, { type: 'welcome' }>['attempts']): void {
    const byId = new Map(known.map((attempt) => [attempt.attemptId, attempt]));
    for (const [attemptId, held] of this.held) {
      if (held.dropped) continue;
      const attempt = byId.get(attemptId);
      if (attempt === undefined) this.drop(attemptId, 'the controller does not know it');
      else held.sender.resume(attempt.ackedNext);
    }
  }

  private assign(assignment: Assignment): void {
    const { attemptId, fence } = assignment;
    const held = this.held.get(attemptId);
    if (held !== undefined && !held.dropped) {
      this.settings.send({ type: 'accepted', attemptId, fence: held.spool.fence });
      return;
    }
    const reason = held === undefined ? this.whyNot(assignment) : 'it was dropped and is still being cleaned up';
    if (reason !== null) {
      this.settings.journal.warning('attempt-declined', { attempt: attemptId, reason });
      this.settings.send({ type: 'declined', attemptId, fence, reason });
      return;
    }
    let fresh: Held;
    try {
      fresh = this.hold(AttemptSpool.create(this.root, assignment, this.disk));
    } catch (error) {
      const problem = `the spool cannot be written: ${messageOf(error)}`;
      this.settings.journal.error('spool', { attempt: attemptId, problem, remedy: 'make room in stateDir' });
      this.settings.send({ type: 'declined', attemptId, fence, reason: problem });
      return;
    }
    fresh.sender.resume({});
    this.settings.send({ type: 'accepted', attemptId, fence });
    this.settings.journal.info('attempt-started', { attempt: attemptId, machine: machineOf(assignment) });
    this.launch(fresh, () => this.perform(fresh));
  }

  private whyNot({ work }: Assignment): string | null {
    if (this.stopped) return 'the agent stops';
    if (work.kind === 'build') {
      if (this.settings.build === null) return 'this agent does not build';
      const building = [...this.held.values()].filter(
        (held) => held.running && held.spool.memory.assignment.work.kind === 'build',
      ).length;
      return building >= this.settings.buildSlots ? `all ${this.settings.buildSlots} build slots are taken` : null;
    }
    if (!this.settings.takesTests) return 'this agent does not test';
    if (!this.machines.has(work.machine)) return `this agent has no machine "${work.machine}"`;
    const other = [...this.held.values()].find(
      (held) => held.running && !held.dropped && machineOf(held.spool.memory.assignment) === work.machine,
    );
    return other === undefined ? null : `attempt ${other.spool.attemptId} is on ${work.machine}`;
  }

  private hold(spool: AttemptSpool): Held {
    const fault = (error: unknown): void =>
      this.settings.journal.error('spool', { attempt: spool.attemptId, problem: messageOf(error) });
    const held: Held = {
      spool,
      sender: new AttemptSender(spool, this.settings.send, fault),
      stop: new AbortController(),
      running: false,
      dropped: false,
    };
    spool.onFault = (error) => {
      fault(error);
      held.stop.abort(new JobFailure('infrastructure', error.message));
    };
    this.held.set(spool.attemptId, held);
    void held.sender.done.then(() => {
      if (!held.dropped) this.forget(held);
    });
    return held;
  }

  /** Runs a job after those before it on the same machine. */
  private launch(held: Held, job: () => Promise<void>): void {
    held.running = true;
    const machine = machineOf(held.spool.memory.assignment);
    const before = (machine === null ? undefined : this.queues.get(machine)) ?? Promise.resolve();
    const through = before
      .then(job)
      .catch((error: unknown) => {
        if (error instanceof AgentStopping) return;
        const problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
        this.settings.journal.error('job', { attempt: held.spool.attemptId, problem });
        this.endBroken(held, problem);
      })
      .then(() => {
        if (this.stopped) return;
        held.running = false;
        this.settings.journal.info('attempt-ended', { attempt: held.spool.attemptId, machine });
        if (held.dropped) this.forget(held);
      });
    if (machine !== null) this.queues.set(machine, through);
  }

  /** A job that threw: its machine is in an unknown state, and the controller has to hear so. */
  private endBroken(held: Held, problem: string): void {
    if (held.spool.finished) return;
    try {
      held.spool.appendEvent({
        type: 'finished',
        failure: {
          class: 'agent-bug',
          stage: held.spool.memory.stage,
          message: problem.slice(0, 2000),
          signature: null,
        },
        restored: !held.spool.memory.touched,
        lineCounts: held.spool.lineCounts(),
      });
    } catch (error) {
      this.settings.journal.error('spool', { attempt: held.spool.attemptId, problem: messageOf(error) });
    }
  }

  private async perform(held: Held): Promise<void> {
    const { assignment } = held.spool.memory;
    const { work } = assignment;
    if (work.kind === 'build') {
      const limit = limitOf(held, BUILD_LIMIT_MS);
      try {
        if (this.settings.build === null) throw new Error('a build was accepted without build settings');
        await runBuildJob(this.settings.build, assignment, work, held.spool, held.stop.signal);
      } finally {
        clearTimeout(limit);
      }
      return;
    }
    const limit = limitOf(held, work.timeouts.attemptSeconds * 1000);
    try {
      await runTestJob(this.benchOf(held));
    } finally {
      clearTimeout(limit);
    }
  }

  private async recover(held: Held): Promise<void> {
    const { assignment, stage } = held.spool.memory;
    if (assignment.work.kind === 'test' && this.machines.has(assignment.work.machine)) {
      await recoverTestJob(this.benchOf(held));
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

  private benchOf(held: Held): TestBench {
    const { assignment } = held.spool.memory;
    if (assignment.work.kind !== 'test') throw new Error('a build has no bench');
    const machine = this.machines.get(assignment.work.machine);
    if (machine === undefined) throw new Error(`no machine ${assignment.work.machine}`);
    const pace = this.settings.pace ?? PACE;
    return new TestBench(
      assignment,
      assignment.work,
      machine,
      this.settings.bundles,
      held.spool,
      pace,
      held.stop.signal,
    );
  }

  private drop(attemptId: string, reason: string): void {
    const held = this.held.get(attemptId);
    if (held === undefined || held.dropped) return;
    this.settings.journal.warning('attempt-dropped', { attempt: attemptId, reason });
    held.dropped = true;
    held.sender.stop();
    if (held.running) held.stop.abort(new JobFailure('canceled', `dropped by the controller: ${reason}`));
    else this.forget(held);
  }

  private forget(held: Held): void {
    held.sender.stop();
    held.spool.remove();
    this.held.delete(held.spool.attemptId);
  }
}

function limitOf(held: Held, ms: number): NodeJS.Timeout {
  return setTimeout(
    () => held.stop.abort(new JobFailure('timeout', `the attempt ran past its limit of ${Math.round(ms / 1000)} s`)),
    ms,
  );
}
