import { join } from 'node:path';
import { AGENT_PROTOCOL, type FromAgent } from '@peerlab/contracts';
import { BundleCache } from '../job/bundle-cache.js';
import { createHttpArtifacts } from '../link/artifacts.js';
import { Link } from '../link/link.js';
import type { Machine } from '../machine/protocols.js';
import { FleetWatch } from '../worker/fleet-watch.js';
import { Worker } from '../worker/worker.js';
import { FAKE_PACE } from './fake-lab.js';

export interface InProcessAgentOptions {
  controller: string;
  token: string;
  name: string;
  /** Where its spool is; an agent that is started again with the same one goes on with what it finds. */
  folder: string;
  machines: readonly Machine[];
}

const HEARTBEAT_MS = 500;

/**
 * The agent's own worker, link and drivers in this process, with short waits. Beside a controller in the same process it
 * makes tests of several agents quick; a killed process is what the fault suite is for.
 */
export class InProcessAgent {
  readonly #options: InProcessAgentOptions;
  #worker: Worker | null = null;
  #fleet: FleetWatch | null = null;
  #link: Link | null = null;

  constructor(options: InProcessAgentOptions) {
    this.#options = options;
  }

  start(): void {
    const { controller, token, folder, machines } = this.#options;
    const send = (frame: FromAgent): boolean => this.#link?.send(frame) ?? false;
    const worker = new Worker({
      stateDir: join(folder, 'state'),
      machines,
      bundles: new BundleCache(join(folder, 'bundles'), createHttpArtifacts({ controller, readToken: () => token })),
      build: null,
      buildSlots: 0,
      takesTests: true,
      send,
      sendHeartbeat: () => this.#link?.sendHeartbeat(),
      onTaken: (machine) => this.#fleet?.vacate(machine),
      onReturned: (machine) => this.#fleet?.probe(machine),
      onOtherHardware: (machine) => this.#fleet?.probe(machine),
      pace: FAKE_PACE,
    });
    this.#worker = worker;
    this.#fleet = new FleetWatch(machines, (machine) => worker.isBusy(machine), send, null);
    worker.start();
    this.#fleet.start();
    this.connect();
  }

  /** Stops where it is, as a killed process does: nothing is restored, what was recorded is on the disk. */
  die(): void {
    this.cut();
    this.#fleet?.stop();
    this.#worker?.stop();
  }

  /** Nothing gets through to the controller any more; the jobs go on. */
  cut(): void {
    this.#link?.stop();
    this.#link = null;
    this.#worker?.pauseSending();
  }

  connect(): void {
    const { controller, token, name } = this.#options;
    const [worker, fleet] = [this.#worker, this.#fleet];
    if (worker === null || fleet === null) throw new Error('start the agent first');
    this.#link = new Link(
      { controller, readToken: () => token, heartbeatMs: HEARTBEAT_MS },
      {
        hello: () => ({
          type: 'hello',
          bindsPairs: true,
          opensTerminals: true,
          protocol: AGENT_PROTOCOL,
          agent: name,
          site: 'test-site',
          version: '0',
          capabilities: ['test'],
          buildSlots: 0,
          testSlots: null,
          catalogue: { suites: [], configs: [] },
          machines: fleet.states(),
          ...worker.report(),
        }),
        heartbeat: () => ({ type: 'heartbeat', machines: fleet.states(), ...worker.report(), ...worker.clock() }),
        onMessage: (message) => {
          worker.receive(message);
          if (message.type === 'welcome') fleet.announceAll();
          if (message.type === 'probe') fleet.probe(message.machine);
        },
        onDown: () => worker.pauseSending(),
      },
    );
    this.#link.start();
  }
}
