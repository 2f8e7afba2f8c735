import {
  type AgentMachine,
  cutText,
  FRAME_MAX_BYTES,
  type FromAgent,
  type Inventory,
  type MachineCheck,
  type MachineCheckRun,
} from '@peerlab/contracts';
import { checkInventoried } from '../enrolment/look.js';
import { log } from '@peerlab/runtime';
import { readInventory } from '../inventory/read.js';
import type { UnitNames } from '../inventory/units.js';
import { identifyKernel, type KernelIdentity } from '../job/kernel-identity.js';
import { adviceOf } from '../machine/errors.js';
import type { Machine, Session } from '../machine/protocols.js';
import { pause } from '../timing.js';
import { bootClockMs } from './attempt-lease.js';

interface FleetPace {
  connectTimeoutMs: number;
  /** Between looks at a machine that answers. */
  idleMs: number;
  /** Between looks at a machine that does not. */
  absentMs: number;
  /** How old an inventory becomes on a machine that stays up and that nobody has. */
  inventoryMs: number;
  /** After an inventory or checks that were known could not be read again, until they are tried again. */
  retryMs: number;
}

export const FLEET_PACE: FleetPace = {
  connectTimeoutMs: 60_000,
  idleMs: 60_000,
  absentMs: 3_000,
  inventoryMs: 24 * 3_600_000,
  retryMs: 15 * 60_000,
};

/** Longest problem, in characters: it goes with every heartbeat. */
const PROBLEM_MAX = 1000;

/** What one look read. */
interface Found {
  inventory: Inventory | null;
  checks: MachineCheck[] | null;
  /** Of the kernel that ran. */
  bootId: string;
}

const NOTHING: Found = { inventory: null, checks: null, bootId: '' };

interface Watched {
  machine: Machine;
  reachable: boolean;
  problem: string | null;
  inventory: Inventory | null;
  /** Of the newest reading: in which boot of the machine it was, and when by the agent's clock. */
  read: { bootId: string; atMs: number } | null;
  /** What the newest look found; null = not looked at yet. */
  checks: MachineCheck[] | null;
  /** They were not looked at since the inventory was read. */
  areChecksDue: boolean;
  /** What people checked of it, as it was announced last. */
  checkRuns: readonly MachineCheckRun[];
  /** Why something that is known could not be read again. */
  staleProblem: string | null;
  /** By the agent's clock: nothing that is known is read again before. */
  notBeforeMs: number;
  /** Why the controller cannot have the inventory. */
  inventoryProblem: string | null;
  /** Ends the pause before the next look. */
  wake: AbortController;
  /** Ends a look that is under way: somebody gets the machine, or what it reads is of before. */
  cut: AbortController;
  /** Kept between looks: a new connection costs an emulated machine seconds of its processor. */
  session: Session | null;
}

/**
 * Keeps looking at the machines on which no job runs: whether they answer, and what they are. Its
 * connection stays open from look to look, and a machine that breaks it off is looked at again at once.
 * An inventory is read again after each boot of the machine and at least once a day; while nobody but this agent has the
 * machine, so that a reading that is under way is given up for an attempt or a reservation.
 */
export class FleetWatch {
  readonly #watched: Map<string, Watched>;
  readonly #stopping = new AbortController();

  readonly #isBusy: (machine: string) => boolean;
  readonly #send: (frame: FromAgent) => boolean;
  readonly #pace: FleetPace;
  readonly #clock: () => number;
  readonly #names: UnitNames | null;
  readonly #checkRunsOf: (machine: string) => readonly MachineCheckRun[];

  /**
   * @param names null = inventories do not tell specimens of a model apart
   * @param checkRunsOf what people checked of a machine, newest first; asked at every look
   * @param clock milliseconds that never go back
   */
  constructor(
    machines: readonly Machine[],
    isBusy: (machine: string) => boolean,
    send: (frame: FromAgent) => boolean,
    names: UnitNames | null,
    checkRunsOf: (machine: string) => readonly MachineCheckRun[] = () => [],
    pace: FleetPace = FLEET_PACE,
    clock: () => number = bootClockMs,
  ) {
    this.#isBusy = isBusy;
    this.#send = send;
    this.#pace = pace;
    this.#clock = clock;
    this.#names = names;
    this.#checkRunsOf = checkRunsOf;
    this.#watched = new Map(
      machines.map((machine) => [
        machine.name,
        {
          machine,
          reachable: false,
          problem: 'not looked at yet',
          inventory: null,
          read: null,
          checks: null,
          areChecksDue: true,
          checkRuns: [],
          staleProblem: null,
          notBeforeMs: 0,
          inventoryProblem: null,
          wake: new AbortController(),
          cut: new AbortController(),
          session: null,
        },
      ]),
    );
  }

  start(): void {
    for (const watched of this.#watched.values()) {
      this.#watch(watched).catch((error: unknown) => {
        if (!this.#stopping.signal.aborted)
          log.error({ machine: watched.machine.name, err: error }, 'fleet-watch-failed');
      });
    }
  }

  stop(): void {
    this.#stopping.abort();
  }

  /** Checks the machine now, and reads its inventory again. */
  probe(name: string): void {
    const watched = this.#watched.get(name);
    if (watched === undefined) return;
    watched.inventory = null;
    watched.checks = null;
    watched.areChecksDue = true;
    watched.staleProblem = null;
    watched.inventoryProblem = null;
    watched.cut.abort();
    watched.wake.abort();
  }

  /** An attempt or a reservation gets the machine: what is being read there is given up. */
  vacate(name: string): void {
    this.#watched.get(name)?.cut.abort();
  }

  /** The inventory was too large to be sent. It is not sent again before it was read again. */
  inventoryTooLarge(name: string, bytes: number): void {
    const watched = this.#watched.get(name);
    if (watched === undefined) return;
    watched.inventoryProblem =
      `its inventory is larger than the controller takes (${bytes} bytes, at most ${FRAME_MAX_BYTES}); ` +
      'look at what the machine shows in /sys/bus/pci and /proc, then probe it again';
    log.warn({ machine: name, bytes }, 'inventory-too-large');
  }

  states(): AgentMachine[] {
    return [...this.#watched.values()].map(({ machine, reachable, problem, inventoryProblem, staleProblem }) => ({
      name: machine.name,
      description: machine.description,
      labels: machine.labels,
      reachable,
      problem: problem ?? inventoryProblem ?? staleProblem,
    }));
  }

  /** A new connection to the controller: it learns every inventory again. */
  announceAll(): void {
    for (const watched of this.#watched.values()) this.#announce(watched);
  }

  /** @param withChecks false = they were told already, when they were looked at */
  #announce(watched: Watched, withChecks = true): void {
    const { machine, inventory, inventoryProblem, checks, areChecksDue } = watched;
    if (inventory === null || inventoryProblem !== null) return;
    watched.checkRuns = this.#checkRunsOf(machine.name);
    // The controller keeps those that it has, with their time.
    const seen = checks === null || areChecksDue || !withChecks ? {} : { checks };
    const runs = watched.checkRuns.length === 0 ? {} : { checkRuns: [...watched.checkRuns] };
    this.#send({ type: 'inventory', machine: machine.name, inventory, ...seen, ...runs });
  }

  async #watch(watched: Watched): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      if (this.#isBusy(watched.machine.name)) hangUp(watched);
      else await this.#look(watched).catch((error: unknown) => this.#cannotLook(watched, error));
      watched.wake = new AbortController();
      const idle = watched.reachable && watched.inventory !== null;
      const early = [signal, watched.wake.signal, ...(watched.session === null ? [] : [watched.session.lost])];
      await pause(idle ? this.#pace.idleMs : this.#pace.absentMs, AbortSignal.any(early)).catch(() => undefined);
    }
    hangUp(watched);
  }

  /** A bug, which costs this look and not the watch over the machine. */
  #cannotLook({ machine }: Watched, error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    log.error({ machine: machine.name, err: error }, 'fleet-watch-failed');
  }

  async #look(watched: Watched): Promise<void> {
    const { machine } = watched;
    watched.cut = new AbortController();
    const signal = AbortSignal.any([this.#stopping.signal, watched.cut.signal]);
    let problem: string | null = null;
    let found: Found = NOTHING;
    try {
      if (watched.session?.lost.aborted === true) hangUp(watched);
      watched.session ??= await machine.access.connect({ timeoutMs: this.#pace.connectTimeoutMs, signal });
      const kernel = await this.#identify(watched, watched.session, signal);
      // A kernel under test may show other devices than the machine has.
      if (kernel.nonce === null) found = await this.#read(watched, watched.session, kernel, signal);
    } catch (error) {
      if (!signal.aborted) problem = cutText(adviceOf(error), PROBLEM_MAX);
    }
    // A command that was given up may run on as long as its connection lives.
    if (signal.aborted) return hangUp(watched);
    // A job that started meanwhile reboots the machine: what was seen says nothing.
    if (this.#isBusy(machine.name)) return;
    if (watched.reachable !== (problem === null) || watched.problem !== problem) {
      if (problem === null) log.info({ machine: machine.name }, 'machine-reachable');
      else log.warn({ machine: machine.name, problem }, 'machine-unreachable');
    }
    watched.reachable = problem === null;
    watched.problem = problem;
    if (found.inventory !== null) {
      watched.inventory = found.inventory;
      watched.read = { bootId: found.bootId, atMs: this.#clock() };
      watched.inventoryProblem = null;
      watched.areChecksDue = true;
    }
    if (found.checks !== null) {
      watched.checks = found.checks;
      watched.areChecksDue = false;
    }
    if (found === NOTHING) {
      // A person may have checked it meanwhile, on this host.
      if (this.#checkRunsOf(machine.name)[0]?.at !== watched.checkRuns[0]?.at) this.#announce(watched, false);
      return;
    }
    watched.staleProblem = null;
    this.#announce(watched);
  }

  /**
   * The inventory where it is due, or else the checks: the inventory is what jobs wait for. A machine that was read before
   * stays in use when it answers and cannot be read again; that is tried again later.
   */
  async #read(watched: Watched, session: Session, { bootId }: KernelIdentity, signal: AbortSignal): Promise<Found> {
    const { machine, inventory, read, checks, areChecksDue } = watched;
    const now = this.#clock();
    const isNew = inventory === null || read === null;
    const isOld = !isNew && (read.bootId !== bootId || now - read.atMs >= this.#pace.inventoryMs);
    if (!isNew && now < watched.notBeforeMs) return NOTHING;
    try {
      if (isNew || isOld) return { inventory: await readInventory(session, this.#names, signal), checks: null, bootId };
      if (!areChecksDue) return NOTHING;
      return { inventory: null, checks: await checkInventoried(machine, inventory, session, signal), bootId };
    } catch (error) {
      if (signal.aborted || session.lost.aborted || isNew || (!isOld && checks === null)) throw error;
      const what = isOld ? 'inventory' : 'checks';
      watched.staleProblem = cutText(`its ${what} could not be read again: ${adviceOf(error)}`, PROBLEM_MAX);
      watched.notBeforeMs = now + this.#pace.retryMs;
      log.warn({ machine: machine.name, problem: watched.staleProblem }, 'machine-not-read-again');
      hangUp(watched);
      return NOTHING;
    }
  }

  /** A connection that does not answer this is not worth keeping. */
  async #identify(watched: Watched, session: Session, signal: AbortSignal): Promise<KernelIdentity> {
    try {
      return await identifyKernel(session, signal);
    } catch (error) {
      hangUp(watched);
      throw error;
    }
  }
}

function hangUp(watched: Watched): void {
  watched.session?.close();
  watched.session = null;
}
