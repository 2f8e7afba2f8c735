import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FakeLab, InProcessAgent, startFakeLab } from '@peerlab/agent/fake';
import type { Reservation, TerminalRecord } from '@peerlab/contracts';
import { TestFarm } from '@peerlab/controller/testing/farm';
import { FAKE_INVENTORY } from '../faults/lab.js';

/** A real controller, the real agent, and a machine on script behind a real SSH server. */
export interface TerminalFarm {
  farm: TestFarm;
  lab: FakeLab;
  agent: InProcessAgent;
  /** Name of the machine. */
  machine: string;
  /** Starts the agent; resolves when its machine is there. */
  connect: () => Promise<void>;
  /** Gives the machine back and stops the agent. */
  disconnect: () => Promise<void>;
  isConnected: () => Promise<boolean>;
  /** Those of the machine, newest first. */
  reservations: () => Promise<Reservation[]>;
  records: () => Promise<TerminalRecord[]>;
  /** Reserves the machine for the farm's own user; resolves when it is held. */
  reserve: () => Promise<void>;
  stop: () => Promise<void>;
}

export async function startTerminalFarm(settings: Parameters<typeof TestFarm.start>[0] = {}): Promise<TerminalFarm> {
  const folder = await mkdtemp(join(tmpdir(), 'terminal-'));
  const farm = await TestFarm.start(settings);
  const lab = await startFakeLab(folder);
  lab.fake.inventory = FAKE_INVENTORY;
  const machine = lab.machine.name;
  const token = await farm.token('agent', 'lab');
  const agent = new InProcessAgent({
    controller: farm.server.url,
    token,
    name: 'lab',
    folder,
    machines: [lab.machine],
  });
  const isConnected = async (): Promise<boolean> =>
    (await farm.call('getFleet', {})).agents.some(({ name, connected }) => name === 'lab' && connected);
  const reservations = () => farm.call('listReservations', { query: { machine } });
  return {
    farm,
    lab,
    agent,
    machine,
    isConnected,
    reservations,
    records: () => farm.call('listTerminals', { params: { machine } }),
    async connect() {
      agent.start();
      await farm.until('the machine', async () => {
        const { machines } = await farm.call('getFleet', {});
        return machines.some(
          ({ name, paths, observed }) => name === machine && paths.length > 0 && observed === 'online',
        );
      });
    },
    async disconnect() {
      const [open] = await reservations();
      if (open !== undefined && open.state !== 'ended') {
        await farm.call('returnMachine', { params: { reservation: open.id }, body: {} });
        await farm.until('the return', reservations, ([one]) => one?.state === 'ended');
      }
      agent.die();
      await farm.until('the end of its connection', isConnected, (now) => !now);
    },
    async reserve() {
      await farm.call('reserveMachine', { params: { machine }, body: { seconds: 3600, reason: 'a look' } });
      await farm.until('the beginning', reservations, ([one]) => one?.state === 'held');
    },
    async stop() {
      await lab.fake.stop();
      await farm.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
