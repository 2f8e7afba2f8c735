import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HeldReservation, WantedReservation } from '@peerlab/contracts';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_PACE, type FakeLab, type FakeLabOptions, startFakeLab } from '../fake/fake-lab.js';
import { MachineRecords } from '../job/machine-record.js';
import { Worker } from './worker.js';

const RESERVATION: WantedReservation = {
  reservationId: '6f6f6a30-0000-4000-8000-000000000001',
  machine: 'v-switch',
  fence: 40,
  state: 'held',
};
const RETURNED: WantedReservation = { ...RESERVATION, state: 'returning' };

let folder: string;
let lab: FakeLab;
let worker: Worker;
let wanted: WantedReservation[] = [];
/** How often the agent wanted to report at once. */
let news = 0;
let returned: string[] = [];
let taken: string[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'reserved-'));
  wanted = [];
  [taken, returned] = [[], []];
});
afterEach(async () => {
  worker.stop();
  await lab.fake.stop();
  rmSync(folder, { recursive: true });
});

async function setUp(options: FakeLabOptions = {}): Promise<void> {
  lab = await startFakeLab(folder, options);
  worker = startWorker();
}
function startWorker(): Worker {
  const { machine, bundles } = lab;
  const fresh = new Worker({
    stateDir: folder,
    machines: [machine],
    bundles,
    build: null,
    buildSlots: 0,
    takesTests: true,
    send: () => true,
    sendHeartbeat: () => {
      news += 1;
    },
    onTaken: (name) => void taken.push(name),
    onReturned: (name) => void returned.push(name),
    pace: FAKE_PACE,
  });
  fresh.start();
  return fresh;
}
/** A heartbeat and its answer. @returns what the agent said of its reservations */
function beat(): HeldReservation[] {
  const { beat: number, reservations } = worker.report();
  worker.receive({ type: 'renewed', beat: number, leaseSeconds: 30, participants: [], reservations: wanted });
  return reservations;
}
const report = (state: HeldReservation['state']): Promise<HeldReservation> =>
  eventually(
    `the report ${state}`,
    () => beat().find((each) => each.state === state),
    (found): boolean => found !== undefined,
  ) as Promise<HeldReservation>;
async function take(): Promise<void> {
  wanted = [RESERVATION];
  await report('holding');
}
const giveBack = (state: 'restored' | 'not-restored'): Promise<HeldReservation> => {
  wanted = [RETURNED];
  return report(state);
};

describe('a machine that a person gets', () => {
  it('has the fence of the reservation before anything is said, and is left alone afterwards', async () => {
    await setUp();
    await take();
    expect(lab.fake.fence?.fence).toBe(RESERVATION.fence);
    expect(worker.isBusy('v-switch')).toBe(true);
    expect(taken).toEqual(['v-switch']);
    const done = lab.fake.commands.length;
    for (let at = 0; at < 5; at += 1) beat();
    expect(lab.fake.commands.length).toBe(done);
    expect(lab.fake.boots).toBe(0);
  });

  it('is taken when it answers again', async () => {
    await setUp();
    lab.fake.goDown();
    wanted = [RESERVATION];
    expect(beat()).toEqual([]);
    await lab.fake.power.reset();
    await report('holding');
    expect(lab.fake.fence?.fence).toBe(RESERVATION.fence);
  });

  it('is not taken from a newer attempt', async () => {
    await setUp();
    lab.fake.fence = { fence: 41, token: 'b'.repeat(32) };
    const before = news;
    wanted = [RESERVATION];
    beat();
    await eventually(
      'the end of the try',
      () => news,
      (now) => now > before,
    );
    expect(worker.report().reservations).toEqual([]);
    expect(lab.fake.fence.fence).toBe(41);
  });
});

describe('a machine that a person gives back', () => {
  it('runs the kernel that it was found with, all of ours gone, and is forgotten when the controller has it', async () => {
    await setUp();
    await take();
    // What people do: another kernel, and leftovers.
    lab.fake.files.set('/boot/peerlab-12345678-vmlinuz', Buffer.from('left'));
    const own = lab.fake.defaultBuildId;
    lab.fake.defaultBuildId = 'ab'.repeat(20);
    await lab.fake.reboot();
    lab.fake.defaultBuildId = own;
    const { detail, fence } = await giveBack('restored');
    expect(fence).toBe(RESERVATION.fence);
    // Its inventory is to be read again.
    expect(returned).toEqual(['v-switch']);
    expect(detail).toMatch(/6\.1\.0-50-cloud-amd64 runs, nothing of ours is left/);
    expect([...lab.fake.files.keys()]).not.toContain('/boot/peerlab-12345678-vmlinuz');
    expect(readdirSync(join(folder, 'reservations'))).toHaveLength(1);
    wanted = [];
    beat();
    expect(worker.report().reservations).toEqual([]);
    expect(worker.isBusy('v-switch')).toBe(false);
    expect(readdirSync(join(folder, 'reservations'))).toHaveLength(0);
  });

  it('is not restored when it boots another kernel by default than before', async () => {
    await setUp();
    await take();
    lab.fake.defaultBuildId = 'ab'.repeat(20);
    await lab.fake.reboot();
    const { detail } = await giveBack('not-restored');
    expect(detail).toMatch(/^v-switch was not restored: another kernel than before runs/);
    // Each rung was tried, and the console is part of the account.
    expect(lab.fake.resets).toBe(1);
    expect(detail).toContain('the console said last:');
    expect(detail).toContain('peerlab-grub: booting peerlab-default');
  });

  it('is not restored when it lost a device, known also after a restart of the agent', async () => {
    await setUp();
    await take();
    lab.fake.devices = lab.fake.devices.slice(0, 1);
    worker.stop();
    worker = startWorker();
    const { detail } = await giveBack('not-restored');
    expect(detail).toMatch(/lost devices: 0000:04:00\.0 1234:11e8/);
  });

  it('is restored once more by an agent that was killed while it restored', async () => {
    await setUp();
    await take();
    lab.fake.goDown();
    wanted = [RETURNED];
    await report('restoring');
    worker.stop();
    worker = startWorker();
    await report('restored');
    // By the first of them or by the second: the machine did not answer.
    expect(lab.fake.resets).toBeGreaterThan(0);
    expect(lab.fake.running).toBe('default');
  });

  it('is compared with what the last attempt left when nothing of the beginning is known', async () => {
    await setUp();
    const kernel = { release: '6.1.0', buildId: 'cd'.repeat(20), bootId: 'x', attemptId: 'y' };
    new MachineRecords(folder).update('v-switch', { defaultAfter: kernel });
    const { detail } = await giveBack('not-restored');
    expect(detail).toContain(`expected build-id ${kernel.buildId}`);
  });

  it('is not restored where the agent’s own record of it is damaged, and says so', async () => {
    await setUp();
    await take();
    mkdirSync(join(folder, 'machines'), { recursive: true });
    writeFileSync(join(folder, 'machines', 'v-switch.json'), '{"pinned":');
    const { detail } = await giveBack('not-restored');
    expect(detail).toMatch(/v-switch\.json cannot be read.*look at v-switch yourself/);
  });

  it('leaves nothing behind when its reservation ended while no agent ran', async () => {
    await setUp();
    await take();
    worker.stop();
    worker = startWorker();
    wanted = [];
    beat();
    expect(readdirSync(join(folder, 'reservations'))).toEqual([]);
  });

  it('gets a fresh disk where it has one that can be reset', async () => {
    await setUp({ disk: true });
    await take();
    expect(lab.fake.diskState).toBe('used');
    await giveBack('restored');
    expect(lab.fake.diskResets).toBe(1);
    expect(lab.fake.fence?.fence).toBe(RESERVATION.fence);
  });

  it('keeps no older attempt waiting: the next one begins when it was restored', async () => {
    await setUp();
    await take();
    wanted = [RETURNED];
    await report('restoring');
    const assignment = { ...lab.assign(), fence: 41 };
    worker.receive({ type: 'assign', assignment });
    worker.receive({
      type: 'renewed',
      beat: worker.report().beat,
      leaseSeconds: 30,
      participants: [{ participantId: assignment.participantId, fence: 41 }],
      reservations: wanted,
    });
    await report('restored');
    await eventually(
      'the claim of the attempt',
      () => lab.fake.fence?.fence,
      (fence) => fence === 41,
    );
  });
});
