import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FromAgent, MachineCheckRun } from '@peerlab/contracts';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FAKE_PACE, type FakeLab, startFakeLab } from '../fake/fake-lab.js';
import { GOOD_FACTS } from '../fake/good-facts.js';
import { FleetWatch } from './fleet-watch.js';
import { Worker } from './worker.js';

const HOUR_MS = 3_600_000;
const PACE = { connectTimeoutMs: 5000, idleMs: 20, absentMs: 20, inventoryMs: 24 * HOUR_MS, retryMs: HOUR_MS };

let folder: string;
let lab: FakeLab;
let fleet: FleetWatch;
let worker: Worker | null;
let sent: Extract<FromAgent, { type: 'inventory' }>[];
let isBusy: boolean;
/** How often the fleet wanted to look. */
let asked: number;
let nowMs: number;
/** What people checked of the machine. */
let checkRuns: MachineCheckRun[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-fleet-'));
  lab = await startFakeLab(folder);
  lab.fake.inventory = readFileSync(new URL('../inventory/samples/v-switch.txt', import.meta.url), 'utf8');
  lab.fake.facts = GOOD_FACTS;
  [sent, isBusy, asked, nowMs, worker, checkRuns] = [[], false, 0, 0, null, []];
  const send = (frame: FromAgent): boolean => {
    if (frame.type === 'inventory') sent.push(frame);
    return true;
  };
  const isTaken = (name: string): boolean => {
    asked += 1;
    return isBusy || worker?.isBusy(name) === true;
  };
  fleet = new FleetWatch(
    [lab.machine],
    isTaken,
    send,
    null,
    () => checkRuns,
    PACE,
    () => nowMs,
  );
});
afterEach(async () => {
  fleet.stop();
  worker?.stop();
  await lab.fake.stop();
  rmSync(folder, { recursive: true, force: true });
});

const times = (purpose: string): number => lab.fake.commands.filter((command) => command === purpose).length;
/** Some looks later nothing more was read than this. */
async function readsNoMoreThan(inventories: number): Promise<void> {
  const looks = times('identify');
  await vi.waitFor(() => expect(times('identify')).toBeGreaterThan(looks + 3), { timeout: 10_000 });
  expect(times('inventory')).toBe(inventories);
}
const sends = (count: number): Promise<void> => vi.waitFor(() => expect(sent).toHaveLength(count), { timeout: 10_000 });

it('tells of the inventory first, then of what the farm needs and the machine lacks', async () => {
  lab.fake.facts = GOOD_FACTS.replace('@tools', '@tools\nmissing flock');
  fleet.start();
  await sends(2);
  expect(sent[0]?.checks).toBeUndefined();
  expect(sent[1]?.checks?.filter(({ verdict }) => verdict === 'fail')).toMatchObject([
    { name: 'tools', detail: 'flock missing', remedy: 'install util-linux' },
  ]);
  // Looked at once for each reading of the inventory; nothing was written to the machine.
  expect(times('enrolment-facts')).toBe(1);
  expect(lab.fake.commands).not.toContain('grub-preflight');
  fleet.announceAll();
  expect(sent[2]?.checks).toEqual(sent[1]?.checks);
});

it('tells what people checked on its host, as soon as it looks again, and with everything else', async () => {
  fleet.start();
  await sends(2);
  expect(sent[1]?.checkRuns).toBeUndefined();
  const fallback = { name: 'fallback', verdict: 'pass' as const, detail: 'came back by itself', remedy: null };
  checkRuns = [{ at: '2026-12-02T10:00:00.000Z', by: 'alice', acted: true, list: [fallback] }];
  await sends(3);
  // Its own checks keep their time at the controller.
  expect(sent[2]).toMatchObject({ checkRuns });
  expect(sent[2]?.checks).toBeUndefined();
  await readsNoMoreThan(1);
  expect(sent).toHaveLength(3);
  fleet.announceAll();
  expect(sent[3]).toMatchObject({ checkRuns, checks: sent[1]?.checks });
});

describe('an inventory is read again', () => {
  beforeEach(async () => {
    fleet.start();
    await sends(2);
  });

  it('after a boot of the machine, and the checks after it', async () => {
    await readsNoMoreThan(1);
    lab.fake.inventory = lab.fake.inventory.replace('996612 kB', '498306 kB');
    await lab.fake.reboot();
    await sends(4);
    expect(sent[2]).toMatchObject({ inventory: { memoryBytes: 498_306 * 1024 } });
    // Those of before are not told as new ones.
    expect(sent[2]?.checks).toBeUndefined();
    expect(sent[3]?.checks).toBeDefined();
    await readsNoMoreThan(2);
  });

  it('once a day on a machine that stays up', async () => {
    nowMs += 24 * HOUR_MS - 1;
    await readsNoMoreThan(1);
    nowMs += 1;
    await sends(4);
    expect(sent[2]?.inventory).toEqual(sent[0]?.inventory);
    await readsNoMoreThan(2);
  });

  it('and never while somebody has the machine', async () => {
    isBusy = true;
    await eventually('the connection to be closed', () => lab.fake.ssh.connectionsOpen === 0);
    nowMs += 48 * HOUR_MS;
    await lab.fake.reboot();
    const [looks, since] = [times('identify'), asked];
    await eventually('more turns', () => asked > since + 3);
    expect(times('identify')).toBe(looks);
    isBusy = false;
    await sends(4);
    expect(times('inventory')).toBe(2);
  });

  it('later, when that failed: what is known stands and the machine stays in use', async () => {
    const whole = lab.fake.inventory;
    lab.fake.inventory = '@kernel\n6.1\n';
    nowMs += 24 * HOUR_MS;
    const problemOf = (): string | null => fleet.states()[0]?.problem ?? null;
    await eventually('the problem', () => problemOf()?.startsWith('its inventory could not be read again: ') === true);
    expect(fleet.states()[0]).toMatchObject({ reachable: true });
    nowMs += HOUR_MS - 1;
    await readsNoMoreThan(2);
    fleet.announceAll();
    expect(sent[2]).toEqual(sent[1]);
    lab.fake.inventory = whole;
    nowMs += 1;
    await sends(5);
    expect(fleet.states()[0]).toMatchObject({ reachable: true, problem: null });
  });

  it('and given up as soon as an attempt gets the machine', async () => {
    const { machine, bundles } = lab;
    worker = new Worker({
      stateDir: join(folder, 'state'),
      machines: [machine],
      bundles,
      build: null,
      buildSlots: 0,
      takesTests: true,
      send: () => true,
      sendHeartbeat: () => undefined,
      onTaken: (name) => fleet.vacate(name),
      pace: FAKE_PACE,
    });
    // It never ends.
    lab.fake.answers.set('inventory', () => undefined);
    nowMs += 24 * HOUR_MS;
    await eventually('the reading', () => times('inventory') === 2);
    expect(lab.fake.ssh.connectionsOpen).toBe(1);
    const connections = lab.fake.ssh.connectionCount;
    const assignment = lab.assign();
    worker.receive({ type: 'assign', assignment });
    await eventually('the attempt to have the machine alone', () => lab.fake.ssh.connectionsOpen === 0);
    expect(lab.fake.ssh.connectionCount).toBe(connections);
    expect(fleet.states()[0]).toMatchObject({ reachable: true, problem: null });
    expect(sent).toHaveLength(2);
    worker.receive({ type: 'cancel', participantId: assignment.participantId, reason: 'the test is over' });
    await eventually('its end', () => worker?.isBusy('v-switch') === false);
  });
});

it('a reading of before a probe is not told as one of after it', async () => {
  let begun = 0;
  lab.fake.answers.set('inventory', (channel) => {
    begun += 1;
    if (begun === 1) return;
    channel.write(lab.fake.inventory);
    channel.exit(0);
  });
  fleet.start();
  await eventually('the reading', () => begun === 1);
  fleet.probe('v-switch');
  await sends(2);
  expect(begun).toBe(2);
});
