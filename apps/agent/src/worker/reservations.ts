import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { HeldReservation, WantedReservation } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { z } from 'zod';
import { messageOf } from '../error-message.js';
import { AgentStopping } from '../job/failure.js';
import { MachineRecords } from '../job/machine-record.js';
import type { Pace } from '../job/pace.js';
import { type FoundMachine, ReservedMachine } from '../job/reserved-machine.js';
import { adviceOf } from '../machine/errors.js';
import type { Machine } from '../machine/protocols.js';
import { replaceFile } from '../spool/segment.js';
import { AttemptLease } from './attempt-lease.js';
import type { MachineQueues } from './machine-queues.js';

const Found = z.object({
  defaultKernel: z.object({ release: z.string(), buildId: z.string(), bootId: z.string() }).nullable(),
  hardware: z.array(z.string()).nullable(),
});

/** A reservation that the controller named, and how far this agent is with it. */
interface Held {
  wanted: WantedReservation;
  lease: AttemptLease;
  /** Null = nothing is done and nothing is known. */
  report: Pick<HeldReservation, 'state' | 'detail'> | null;
  /** A job of it runs, or waits for its machine. */
  isWorking: boolean;
}

interface ReservationSettings {
  stateDir: string;
  machines: readonly Machine[];
  pace: Pace;
  queues: MachineQueues;
  /** Told when there is something new to report. */
  onNews: () => void;
  /** A machine is reserved from now on. */
  onTaken: (machine: string) => void;
  /** A machine was restored, or not: it may have other devices than before. */
  onReturned: (machine: string) => void;
  clock: () => number;
}

/**
 * The machines of this agent that people have: taken when the controller says so, restored when they are given back. The controller
 * names all of them with each answer to a heartbeat. How a machine was found is on disk, so that it is still known
 * when the agent restores it after a restart; everything else is asked again.
 */
export class Reservations {
  readonly #settings: ReservationSettings;
  readonly #machines: ReadonlyMap<string, Machine>;
  readonly #records: MachineRecords;
  readonly #folder: string;
  readonly #held = new Map<string, Held>();
  readonly #stop = new AbortController();
  #hasTidied = false;

  constructor(settings: ReservationSettings) {
    this.#settings = settings;
    this.#machines = new Map(settings.machines.map((machine) => [machine.name, machine]));
    this.#records = new MachineRecords(settings.stateDir);
    this.#folder = join(settings.stateDir, 'reservations');
  }

  /** A person's machine may be off, or run anything. */
  isReserved(machine: string): boolean {
    return [...this.#held.values()].some(({ wanted }) => wanted.machine === machine);
  }

  report(): HeldReservation[] {
    return [...this.#held.values()].flatMap(({ wanted: { reservationId, fence }, report }) =>
      report === null ? [] : [{ reservationId, fence, ...report }],
    );
  }

  stop(): void {
    this.#stop.abort(new AgentStopping());
    for (const { lease } of this.#held.values()) lease.close();
  }

  /**
   * What the controller wants now; what it does not name is over.
   * @param sentAtMs when the heartbeat was sent that it answers, by the agent's clock @param leaseMs how long that holds
   */
  receive(wanted: readonly WantedReservation[], sentAtMs: number | undefined, leaseMs: number): void {
    const named = new Set(wanted.map(({ reservationId }) => reservationId));
    for (const id of this.#held.keys()) if (!named.has(id)) this.#forget(id);
    if (!this.#hasTidied) this.#tidy(named);
    for (const each of wanted) {
      const machine = this.#machines.get(each.machine);
      if (machine === undefined) continue;
      const held = this.#hold(each);
      if (sentAtMs !== undefined) held.lease.renew(sentAtMs, leaseMs);
      if (held.isWorking) continue;
      if (each.state === 'held' && held.report === null) this.#take(held, machine);
      if (each.state === 'returning' && !isSettled(held)) this.#restore(held, machine);
    }
  }

  /** Removes what earlier processes wrote down of reservations that ended while no agent ran. */
  #tidy(named: ReadonlySet<string>): void {
    this.#hasTidied = true;
    if (!existsSync(this.#folder)) return;
    for (const file of readdirSync(this.#folder)) {
      if (!named.has(file.replace(/\.json$/, ''))) rmSync(join(this.#folder, file), { force: true });
    }
  }

  #hold(wanted: WantedReservation): Held {
    const known = this.#held.get(wanted.reservationId);
    if (known !== undefined) {
      known.wanted = wanted;
      return known;
    }
    const lease = new AttemptLease(() => undefined, this.#settings.clock);
    const isTaken = this.#read(wanted.reservationId) !== null;
    const held: Held = { wanted, lease, report: isTaken ? { state: 'holding', detail: null } : null, isWorking: false };
    this.#held.set(wanted.reservationId, held);
    this.#settings.onTaken(wanted.machine);
    return held;
  }

  #forget(id: string): void {
    const held = this.#held.get(id);
    // A restore that was begun is brought to its end: the machine's fence says whether it is still ours.
    if (held === undefined || held.isWorking) return;
    held.lease.close();
    this.#held.delete(id);
    rmSync(this.#path(id), { force: true });
  }

  #take(held: Held, machine: Machine): void {
    this.#work(
      held,
      async (reserved, signal) => {
        const found = await reserved.take(signal);
        this.#write(held.wanted.reservationId, found);
        held.report = { state: 'holding', detail: null };
      },
      machine,
    );
  }

  #restore(held: Held, machine: Machine): void {
    held.report = { state: 'restoring', detail: null };
    this.#work(
      held,
      async (reserved) => {
        const { restored, detail } = await reserved
          .giveBack(this.#read(held.wanted.reservationId))
          // The agent's own record of the machine is damaged, for instance: nothing was proven.
          .catch((error: unknown) => ({ restored: false, detail: adviceOf(error) }));
        held.report = { state: restored === true ? 'restored' : 'not-restored', detail };
        this.#settings.onReturned(machine.name);
      },
      machine,
    );
  }

  /** Does it after what else this agent does with the machine. What fails is tried again when the controller names it next. */
  #work(held: Held, work: (reserved: ReservedMachine, signal: AbortSignal) => Promise<void>, machine: Machine): void {
    const { queues, pace, onNews } = this.#settings;
    const { reservationId: reservation } = held.wanted;
    held.isWorking = true;
    queues
      .run(machine.name, async () => {
        this.#stop.signal.throwIfAborted();
        await work(new ReservedMachine(held.wanted, machine, pace, held.lease, this.#records), this.#stop.signal);
        log.info({ machine: machine.name, reservation, ...held.report }, 'reservation-work-done');
      })
      .catch((error: unknown) => {
        if (this.#stop.signal.aborted) return;
        log.warn({ machine: machine.name, reservation, problem: messageOf(error) }, 'reservation-work-failed');
        if (held.wanted.state === 'returning' && !isSettled(held)) held.report = null;
      })
      .finally(() => {
        held.isWorking = false;
        if (!this.#stop.signal.aborted) onNews();
      });
  }

  #path(id: string): string {
    return join(this.#folder, `${id}.json`);
  }

  #write(id: string, found: FoundMachine): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    replaceFile(this.#path(id), JSON.stringify(found));
  }

  /** Null when the machine was not taken, or what was written is not readable. */
  #read(id: string): FoundMachine | null {
    try {
      return Found.parse(JSON.parse(readFileSync(this.#path(id), 'utf8')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        log.warn({ reservation: id, problem: messageOf(error) }, 'reservation-unreadable');
      return null;
    }
  }
}

const isSettled = ({ report }: Held): boolean => report?.state === 'restored' || report?.state === 'not-restored';
