import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MachineCheck } from '@peerlab/contracts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FAKE_PACE, type FakeLab, startFakeLab } from '../fake/fake-lab.js';
import { GOOD_FACTS } from '../fake/good-facts.js';
import { MachineConnection } from '../job/machine-connection.js';
import { createRebootWatchdog } from '../machine/drivers/reboot-watchdog.js';
import { MachineError } from '../machine/errors.js';
import type { Watchdog, WatchdogReading } from '../machine/protocols.js';
import { proveWatchdog } from './watchdog-proof.js';
import { lookAtMachine } from './look.js';

/** The watchdog that the config names: looked at, and armed where a person lets the farm act. */

let folder: string;
let lab: FakeLab;
/** Of one test. */
let signal: AbortSignal;
/** What the watchdog was told. */
let orders: string[];

beforeEach(async () => {
  signal = AbortSignal.timeout(60_000);
  folder = mkdtempSync(join(tmpdir(), 'peerlab-watchdog-check-'));
  lab = await startFakeLab(folder);
  lab.fake.facts = GOOD_FACTS;
  lab.fake.inventory = readFileSync(new URL('../inventory/samples/v-switch.txt', import.meta.url), 'utf8');
  orders = [];
});
afterEach(async () => {
  await lab.fake.stop();
  await rm(folder, { recursive: true });
});

function give(change: Partial<Watchdog> = {}): void {
  const watchdog: Watchdog = {
    name: 'watchdog of BMC x',
    longestMs: 6_553_000,
    foreignUser: () => Promise.resolve(null),
    arm: async (_session, timeoutMs) => void orders.push(`arm ${timeoutMs}`),
    disarm: async () => void orders.push('disarm'),
    readBack: () => Promise.resolve({ isRunning: true, leftMs: null, note: null }),
    ...change,
  };
  Object.assign(lab.machine, { watchdog });
}
const refuses = (message: string) => () => Promise.reject(new MachineError('watchdog', message, 'look at the BMC'));
const prove = (): Promise<MachineCheck | null> =>
  proveWatchdog({
    machine: lab.machine,
    connection: new MachineConnection(lab.machine, FAKE_PACE),
    pace: FAKE_PACE,
    signal,
    note: () => undefined,
    onBoot: () => undefined,
  });

it.each([
  [
    'device watchdog0 iTCO_wdt\nholder watchdogd\n',
    'fail',
    'watchdog of the machine is used by something else: it is held by watchdogd',
    /^stop that, or take watchdog: out/,
  ],
  ['systemd t 0\n', 'fail', 'watchdog of the machine: the machine shows no watchdog device', /^load its driver/],
  ['device watchdog0 iTCO_wdt\nholder systemd\n', 'pass', /is there, and nothing else uses it$/, null],
] as const)('is looked at on the machine: %j', async (facts, verdict, detail, remedy) => {
  lab.fake.answers.set('watchdog-facts', (channel) => {
    channel.write(facts);
    channel.exit(0);
  });
  Object.assign(lab.machine, { watchdog: createRebootWatchdog() });
  const connection = new MachineConnection(lab.machine, FAKE_PACE);
  const { session } = await connection.reach(FAKE_PACE.reachMs, signal);
  const { checks } = await lookAtMachine(lab.machine, session, signal);
  connection.leave();
  const found = checks.find(({ name }) => name === 'watchdog-driver');
  expect(found?.verdict).toBe(verdict);
  expect(found?.detail).toMatch(detail);
  if (remedy === null) expect(found?.remedy).toBeNull();
  else expect(found?.remedy).toMatch(remedy);
});

it('is armed and disarmed, where one is configured', async () => {
  expect(await prove()).toBeNull();
  give();
  expect(await prove()).toMatchObject({ name: 'watchdog-arm', verdict: 'pass' });
  expect(orders).toEqual(['arm 600000', 'disarm']);
});

const says = (...readings: Partial<WatchdogReading>[]): Partial<Watchdog> => ({
  readBack: () => Promise.resolve({ isRunning: true, leftMs: null, note: null, ...readings.shift() }),
});

it.each([
  ['counts', says({ leftMs: 600_000 }, { leftMs: 597_900 }), 'pass', /; its timer counted down from 600 s to 598 s$/],
  [
    'stands still',
    says({ leftMs: 600_000 }, { leftMs: 600_000 }),
    'fail',
    /, but its timer does not count: 600 s left/,
  ],
  ['does not tell its time', says({}), 'pass', /; it says that its timer runs, and not how long still$/],
  ['does not run', says({ isRunning: false }), 'fail', /took the order to arm, but its timer does not run$/],
  [
    'starts later',
    says({ isRunning: null, note: 'systemd has 600 s for the way down, when it starts the timer' }),
    'pass',
    /; whether its timer runs cannot be seen here: systemd has 600 s for the way down/,
  ],
  [
    'is set to something else',
    { readBack: refuses('its action is none') },
    'fail',
    /took the order to arm, but its action is none; look at the BMC$/,
  ],
] as const)('is looked at while it is armed: it %s', async (_, change, verdict, detail) => {
  give(change);
  expect(await prove()).toMatchObject({ name: 'watchdog-arm', verdict, detail: expect.stringMatching(detail) });
  expect(orders).toEqual(['arm 600000', 'disarm']);
});

it('is armed for no longer than it counts', async () => {
  give({ longestMs: 60_000 });
  expect(await prove()).toMatchObject({ verdict: 'pass' });
  expect(orders).toEqual(['arm 60000', 'disarm']);
});

it('is disarmed also when it was not armed', async () => {
  give({ arm: refuses('it did not start') });
  expect(await prove()).toMatchObject({
    verdict: 'fail',
    detail: 'the watchdog of BMC x was not armed: it did not start; look at the BMC',
    remedy: expect.stringContaining('take watchdog: out of the config'),
  });
  expect(orders).toEqual(['disarm']);
});

it('that is not disarmed may reset the machine, and the check says so', async () => {
  give({ disarm: refuses('it counts on') });
  expect(await prove()).toMatchObject({
    verdict: 'fail',
    detail: expect.stringMatching(/was not disarmed: it counts on.*it may reset the machine within 600 s/),
  });
});
