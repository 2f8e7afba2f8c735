import {
  type AgentMachine,
  cutText,
  FRAME_MAX_BYTES,
  type FromAgent,
  type Inventory,
  type MachineCheck,
} from '@peerlab/contracts';
import { checkInventoried } from '../enrolment/look.js';
import { log } from '@peerlab/runtime';
import { readInventory } from '../inventory/read.js';
import { identifyKernel, type KernelIdentity } from '../job/kernel-identity.js';
import { adviceOf } from '../machine/errors.js';
import type { Machine, Session } from '../machine/protocols.js';
import { pause } from '../timing.js';

interface FleetPace {
  connectTimeoutMs: number;
  /** Between looks at a machine that answers. */
  idleMs: number;
  /** Between looks at a machine that does not. */
  absentMs: number;
}

export const FLEET_PACE: FleetPace = { connectTimeoutMs: 60_000, idleMs: 60_000, absentMs: 3_000 };

/** Longest problem, in characters: it goes with every heartbeat. */
const PROBLEM_MAX = 1000;

interface Watched {
  machine: Machine;
  reachable: boolean;
  problem: string | null;
  inventory: Inventory | null;
  /** What the newest look found; null = not looked at since the inventory was read. */
  checks: MachineCheck[] | null;
  /** Why the controller cannot have the inventory. */
  inventoryProblem: string | null;
  /** Ends the pause before the next look. */
  wake: AbortController;
  /** Kept between looks: a new connection costs an emulated machine seconds of its processor. */
  session: Session | null;
}

/**
 * Keeps looking at the machines on which no job runs: whether they answer, and what they are. Its
 * connection stays open from look to look, and a machine that breaks it off is looked at again at once.
 */
export class FleetWatch {
  readonly #watched: Map<string, Watched>;
  readonly #stopping = new AbortController();

  readonly #isBusy: (machine: string) => boolean;
  readonly #send: (frame: FromAgent) => boolean;
  readonly #pace: FleetPace;

  constructor(
    machines: readonly Machine[],
    isBusy: (machine: string) => boolean,
    send: (frame: FromAgent) => boolean,
    pace: FleetPace = FLEET_PACE,
  ) {
    this.#isBusy = isBusy;
    this.#send = send;
    this.#pace = pace;
    this.#watched = new Map(
      machines.map((machine) => [
        machine.name,
        {
          machine,
          reachable: false,
          problem: 'not looked at yet',
          inventory: null,
          checks: null,
          inventoryProblem: null,
          wake: new AbortController(),
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
    watched.inventoryProblem = null;
    watched.wake.abort();
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
    return [...this.#watched.values()].map(({ machine, reachable, problem, inventoryProblem }) => ({
      name: machine.name,
      description: machine.description,
      labels: machine.labels,
      reachable,
      problem: problem ?? inventoryProblem,
    }));
  }

  /** A new connection to the controller: it learns every inventory again. */
  announceAll(): void {
    for (const watched of this.#watched.values()) this.#announce(watched);
  }

  #announce({ machine, inventory, inventoryProblem, checks }: Watched): void {
    if (inventory === null || inventoryProblem !== null) return;
    this.#send({ type: 'inventory', machine: machine.name, inventory, ...(checks === null ? {} : { checks }) });
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
    const { signal } = this.#stopping;
    let problem: string | null = null;
    let inventory: Inventory | null = null;
    let checks: MachineCheck[] | null = null;
    try {
      if (watched.session?.lost.aborted === true) hangUp(watched);
      watched.session ??= await machine.access.connect({ timeoutMs: this.#pace.connectTimeoutMs, signal });
      const kernel = await this.#identify(watched, watched.session);
      // A kernel under test may show other devices than the machine has.
      if (kernel.nonce === null && watched.inventory === null) inventory = await readInventory(watched.session, signal);
      // At the next look: the inventory is what jobs wait for.
      else if (kernel.nonce === null && watched.inventory !== null && watched.checks === null)
        checks = await checkInventoried(machine, watched.inventory, watched.session, signal);
    } catch (error) {
      if (signal.aborted) return;
      problem = cutText(adviceOf(error), PROBLEM_MAX);
    }
    // A job that started meanwhile reboots the machine: what was seen says nothing.
    if (this.#isBusy(machine.name)) return;
    if (watched.reachable !== (problem === null) || watched.problem !== problem) {
      if (problem === null) log.info({ machine: machine.name }, 'machine-reachable');
      else log.warn({ machine: machine.name, problem }, 'machine-unreachable');
    }
    watched.reachable = problem === null;
    watched.problem = problem;
    if (inventory === null && checks === null) return;
    watched.inventory = inventory ?? watched.inventory;
    watched.checks = checks ?? watched.checks;
    this.#announce(watched);
  }

  /** A connection that does not answer this is not worth keeping. */
  async #identify(watched: Watched, session: Session): Promise<KernelIdentity> {
    try {
      return await identifyKernel(session, this.#stopping.signal);
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
