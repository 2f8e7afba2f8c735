import { join } from 'node:path';
import type {
  Assignment,
  ClockOffset,
  FromAgent,
  HeldParticipant as ParticipantReport,
  HeldReservation,
  ToAgent,
} from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { AgentStopping, JobFailure } from '../job/failure.js';
import { messageOf } from '../error-message.js';
import { PACE } from '../job/pace.js';
import { Meetings } from '../job/meetings.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { SpoolDisk } from '../spool/spool-disk.js';
import { AttemptSender } from '../spool/sender.js';
import { HeartbeatLog, bootClockMs } from './attempt-lease.js';
import { ClockMeasure } from './clock-offset.js';
import { HeldAttempt } from './held-attempt.js';
import { JobRunner, type JobSettings } from './job-runner.js';
import { MachineQueues } from './machine-queues.js';
import { Reservations } from './reservations.js';
import { Terminals } from './terminals.js';

interface WorkerSettings extends JobSettings {
  /** The space of all attempts' spools together. */
  spool?: SpoolDisk;
  buildSlots: number;
  takesTests: boolean;
  send: (frame: FromAgent) => boolean;
  /** Sends a heartbeat immediately, because a lease begins with its first renewal. */
  sendHeartbeat: () => void;
  /** An attempt or a person gets a machine: nothing else is to act on it from now on. */
  onTaken?: (machine: string) => void;
  /** A person gave a machine back: it may have other devices than before. */
  onReturned?: (machine: string) => void;
  /** Milliseconds that never go back; default: since this computer was booted. */
  clock?: () => number;
}

/**
 * Holds the attempts of this agent: starts, cancels, drops and recovers them, one at a time per machine.
 * It acts only while it has the lease, and deletes evidence only when the controller has stored it or does not know
 * the attempt.
 */
export class Worker {
  readonly #held = new Map<string, HeldAttempt>();
  readonly #jobs: JobRunner;
  readonly #heartbeats: HeartbeatLog;
  readonly #clock: () => number;
  readonly #clockMeasure = new ClockMeasure();
  readonly #queues = new MachineQueues();
  readonly #reservations: Reservations;
  readonly #terminals: Terminals;
  readonly #root: string;
  readonly #disk: SpoolDisk;
  #stopped = false;

  readonly #settings: WorkerSettings;

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
    this.#jobs = new JobRunner(settings);
    this.#clock = settings.clock ?? bootClockMs;
    this.#heartbeats = new HeartbeatLog(this.#clock);
    this.#root = join(settings.stateDir, 'spool');
    this.#disk = settings.spool ?? new SpoolDisk();
    const { stateDir, machines, pace = PACE } = settings;
    this.#terminals = new Terminals(machines, settings.send);
    this.#reservations = new Reservations({
      stateDir,
      machines,
      pace,
      queues: this.#queues,
      onNews: () => settings.sendHeartbeat(),
      onTaken: (machine) => settings.onTaken?.(machine),
      onReturned: (machine) => settings.onReturned?.(machine),
      clock: this.#clock,
    });
  }

  /** Recovers what the previous agent process left: ends interrupted jobs and sends the rest. */
  start(): void {
    for (const spool of AttemptSpool.openAll(this.#root, this.#disk)) {
      const held = this.#hold(spool);
      log.info({ participant: spool.participantId, finished: spool.finished }, 'attempt-found');
      if (spool.finished) continue;
      held.recovering = true;
      this.#launch(held, () => this.#jobs.recover(held));
    }
  }

  /** Stops all jobs where they are; the next start of the agent restores their machines. */
  stop(): void {
    this.#stopped = true;
    this.#reservations.stop();
    this.#terminals.closeAll();
    for (const held of this.#held.values()) {
      held.sender.stop();
      held.lease.close();
      held.stop.abort(new AgentStopping());
    }
  }

  isBusy(machine: string): boolean {
    return (
      this.#reservations.isReserved(machine) ||
      [...this.#held.values()].some((held) => held.running && held.machine === machine)
    );
  }

  participants(): ParticipantReport[] {
    return [...this.#held.values()].filter((held) => !held.discarded).map((held) => held.report());
  }

  /** Senders of all attempts that the agent holds. */
  senders(): AttemptSender[] {
    return [...this.#held.values()].map(({ sender }) => sender);
  }

  /** Everything that the agent holds, with the number of this heartbeat. Send it immediately: leases count from here. */
  report(): { beat: number; participants: ParticipantReport[]; reservations: HeldReservation[] } {
    return {
      beat: this.#heartbeats.next(),
      participants: this.participants(),
      reservations: this.#reservations.report(),
    };
  }

  /** How this computer's clock stands to the farm's, for a heartbeat. */
  clock(): { clock?: ClockOffset } {
    const { best } = this.#clockMeasure;
    return best === null ? {} : { clock: best };
  }

  #measureClock(beat: number, farmMs: number): void {
    const sentAtMs = this.#heartbeats.sentAt(beat);
    if (sentAtMs !== undefined) this.#clockMeasure.note(farmMs, Date.now(), this.#clock() - sentAtMs);
  }

  receive(message: ToAgent): void {
    switch (message.type) {
      case 'welcome':
        this.#resume(message);
        return;
      case 'renewed':
        for (const { participantId, fence } of message.participants) {
          this.#renew(participantId, fence, message.beat, message.leaseSeconds);
        }
        if (message.reservations !== undefined) {
          const sentAtMs = this.#heartbeats.sentAt(message.beat);
          this.#reservations.receive(message.reservations, sentAtMs, message.leaseSeconds * 1000);
        }
        if (message.at !== undefined) this.#measureClock(message.beat, message.at);
        return;
      case 'assign':
        this.#assign(message.assignment);
        return;
      case 'ack':
        this.#held.get(message.participantId)?.sender.acknowledge(message.stream, message.next);
        return;
      case 'drop': {
        const held = this.#held.get(message.participantId);
        if (held === undefined) return;
        // A controller that gives no code does not accept evidence; keep it until one does.
        if (message.code === 'unknown') this.#discard(held);
        else this.#revoke(held, message.reason);
        return;
      }
      case 'cancel':
        this.#held.get(message.participantId)?.end(new JobFailure('canceled', message.reason), 'attempt-canceled');
        return;
      case 'stop':
        this.#held.get(message.participantId)?.end(new JobFailure('peer', message.reason), 'attempt-stopped');
        return;
      case 'meeting':
        this.#held.get(message.participantId)?.meetings.receive(message.place, message.outcome);
        return;
      case 'terminal-open':
      case 'terminal-input':
      case 'terminal-ack':
      case 'terminal-resize':
      case 'terminal-close':
        this.#terminals.receive(message);
        return;
      case 'probe':
      case 'refused':
        return;
    }
  }

  /** The connection was lost; jobs continue until their leases expire, and fill their spools. */
  pauseSending(): void {
    this.#terminals.closeAll();
    for (const held of this.#held.values()) held.sender.pauseSending();
  }

  #resume({ participants, beat = 0, leaseSeconds = 0 }: Extract<ToAgent, { type: 'welcome' }>): void {
    const byId = new Map(participants.map((stored) => [stored.participantId, stored]));
    for (const [participantId, held] of this.#held) {
      if (held.discarded) continue;
      const stored = byId.get(participantId);
      if (stored === undefined) {
        this.#discard(held);
        continue;
      }
      if (stored.revoked === undefined) this.#renew(participantId, stored.fence, beat, leaseSeconds);
      else this.#revoke(held, stored.revoked);
      held.sender.resume(stored.ackedNext);
      held.meetings.sayAgain();
    }
  }

  #renew(participantId: string, fence: number, beat: number, leaseSeconds: number): void {
    const held = this.#held.get(participantId);
    const sentAtMs = this.#heartbeats.sentAt(beat);
    if (held?.fence === fence && sentAtMs !== undefined) held.lease.renew(sentAtMs, leaseSeconds * 1000);
  }

  #assign(assignment: Assignment): void {
    const { participantId, fence } = assignment;
    const held = this.#held.get(participantId);
    if (held !== undefined && !held.discarded) {
      this.#settings.send({ type: 'accepted', participantId, fence: held.fence });
      return;
    }
    const reason = held === undefined ? this.#whyNot(assignment) : 'it was dropped and is still being cleaned up';
    if (reason !== null) {
      this.#decline(assignment, reason);
      return;
    }
    let fresh: HeldAttempt;
    try {
      fresh = this.#hold(AttemptSpool.create(this.#root, assignment, this.#disk));
    } catch (error) {
      const problem = `the spool cannot be written: ${messageOf(error)}`;
      log.error({ participant: participantId, err: error, remedy: 'make room in stateDir' }, 'spool-fault');
      this.#decline(assignment, problem);
      return;
    }
    this.#revokeOlder(fresh);
    fresh.sender.resume({});
    this.#launch(fresh, () => this.#jobs.perform(fresh));
    this.#settings.send({ type: 'accepted', participantId, fence });
    this.#settings.sendHeartbeat();
    log.info({ participant: participantId, machine: fresh.machine }, 'attempt-started');
  }

  #decline({ participantId, fence }: Assignment, reason: string): void {
    log.warn({ participant: participantId, reason }, 'attempt-declined');
    this.#settings.send({ type: 'declined', participantId, fence, reason });
  }

  #whyNot({ fence, work }: Assignment): string | null {
    if (this.#stopped) return 'the agent stops';
    const all = [...this.#held.values()];
    if (work.kind === 'build') {
      if (this.#settings.build === null) return 'this agent does not build';
      const building = all.filter((held) => held.isActive && held.machine === null).length;
      return building >= this.#settings.buildSlots ? `all ${this.#settings.buildSlots} build slots are taken` : null;
    }
    if (!this.#settings.takesTests) return 'this agent does not test';
    if (!this.#jobs.hasMachine(work.machine)) return `this agent has no machine "${work.machine}"`;
    const newer = all.find((held) => held.isActive && held.machine === work.machine && held.fence > fence);
    return newer === undefined ? null : `the newer attempt ${newer.id} is on ${work.machine}`;
  }

  /** The controller assigns a machine to one attempt at a time: a new attempt means that older ones lost the machine. */
  #revokeOlder(fresh: HeldAttempt): void {
    if (fresh.machine === null) return;
    for (const older of this.#held.values()) {
      if (older === fresh || older.machine !== fresh.machine || older.fence > fresh.fence) continue;
      this.#revoke(older, `${fresh.machine} was given to another attempt`);
    }
  }

  #hold(spool: AttemptSpool): HeldAttempt {
    const fault = (err: unknown): void => log.error({ participant: spool.participantId, err }, 'spool-fault');
    const sender = new AttemptSender(spool, this.#settings.send, fault);
    const meetings = new Meetings({ participantId: spool.participantId, fence: spool.fence }, this.#settings.send);
    const held = new HeldAttempt(spool, sender, meetings, this.#clock);
    this.#held.set(held.id, held);
    void held.sender.done.then(() => {
      if (!held.discarded) this.#forget(held);
    });
    return held;
  }

  /** Runs a job after those before it on the same machine. */
  #launch(held: HeldAttempt, job: () => Promise<void>): void {
    held.running = true;
    const { machine } = held;
    if (machine !== null) this.#settings.onTaken?.(machine);
    const toItsEnd = (): Promise<void> =>
      job()
        .catch((error: unknown) => {
          if (error instanceof AgentStopping) return;
          const problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
          log.error({ participant: held.id, err: error }, 'job-failed');
          this.#jobs.endBroken(held, problem);
        })
        .then(() => {
          if (this.#stopped) return;
          held.running = false;
          held.lease.close();
          log.info({ participant: held.id, machine }, 'attempt-ended');
          if (held.discarded) this.#forget(held);
        });
    void (machine === null ? Promise.resolve().then(toItsEnd) : this.#queues.run(machine, toItsEnd));
  }

  /** The attempt lost its lease: its job ends, its machine is restored, and its evidence is still delivered. */
  #revoke(held: HeldAttempt, reason: string): void {
    held.end(new JobFailure('infrastructure', `the attempt was revoked: ${reason}`), 'attempt-revoked');
  }

  /** The controller does not know the attempt: its machine is restored and its evidence deleted. */
  #discard(held: HeldAttempt): void {
    if (held.discarded) return;
    held.discarded = true;
    held.sender.stop();
    held.end(new JobFailure('canceled', 'the controller does not know the attempt'), 'attempt-unknown');
    if (!held.running) this.#forget(held);
  }

  #forget(held: HeldAttempt): void {
    held.lease.close();
    held.sender.stop();
    held.spool.remove();
    this.#held.delete(held.id);
  }
}
