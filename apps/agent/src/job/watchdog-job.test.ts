import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptEvent } from '@peerlab/contracts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FAKE_PACE, type FakeLab, startFakeLab } from '../fake/fake-lab.js';
import type { FakeMachine } from '../fake/fake-machine.js';
import type { Watchdog } from '../machine/protocols.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { AttemptContext } from './attempt-context.js';
import { runTestJob } from './test-job.js';

let folder: string;
let fake: FakeMachine;
/** What happened to the watchdog and the machine, in order. */
let seen: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'watchdog-'));
  seen = [];
});
afterEach(async () => {
  await fake.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function run(
  change: Partial<Watchdog>,
  prepare: (lab: FakeLab) => void = () => undefined,
): Promise<AttemptEvent | undefined> {
  const watchdog: Watchdog = {
    name: 'watchdog of BMC x',
    longestMs: 6_553_000,
    foreignUser: () => Promise.resolve(null),
    arm: (_session, timeoutMs) => {
      seen.push(timeoutMs > 0 && timeoutMs <= 6_553_000 ? 'armed' : `armed for ${timeoutMs}`);
      return Promise.resolve();
    },
    disarm: () => {
      seen.push('disarmed');
      return Promise.resolve();
    },
    readBack: () => Promise.resolve({ isRunning: true, leftMs: null, note: null }),
    ...change,
  };
  const lab = await startFakeLab(folder, { watchdog });
  ({ fake } = lab);
  prepare(lab);
  fake.onEvent = (event) => {
    if (event.type === 'command' && event.purpose === 'reboot') seen.push('reboot');
    if (event.type === 'up') seen.push(event.kernel);
  };
  const assignment = lab.assign();
  const spool = AttemptSpool.create(join(folder, 'spool'), assignment);
  const { signal } = new AbortController();
  const lease = { check: () => undefined };
  await runTestJob(
    new AttemptContext(assignment, assignment.work, lab.machine, lab.bundles, spool, FAKE_PACE, signal, lease),
  );
  const events = spool.file('events').read(0, 10_000, 1e9);
  return events.flatMap((entry) => ('event' in entry ? [entry.event] : [])).at(-1);
}

it('is armed before the reboot to the candidate, and disarmed when a kernel answers', async () => {
  expect(await run({})).toMatchObject({ failure: null, restored: true });
  expect(seen.slice(0, 4)).toEqual(['armed', 'reboot', 'candidate', 'disarmed']);
  expect(seen.at(-1)).toBe('default');
  expect(seen.filter((word) => word === 'armed')).toHaveLength(1);
});

it('is disarmed before a machine that does not answer is reset, and again when a kernel answers', async () => {
  const hangs = (lab: FakeLab): void => {
    const { power } = lab.fake;
    lab.fake.wayDown = 'hangs';
    const reset = async (): Promise<void> => {
      seen.push('reset');
      lab.fake.wayDown = 'boots';
      await power.reset();
    };
    Object.assign(lab.machine, { power: { ...power, reset } });
  };
  expect(await run({}, hangs)).toMatchObject({ failure: null, restored: true });
  expect(seen.slice(0, 6)).toEqual(['armed', 'reboot', 'disarmed', 'reset', 'candidate', 'disarmed']);
});

it('of another user refuses the machine before anything boots', async () => {
  expect(await run({ foreignUser: () => Promise.resolve('it runs for SMS/OS') })).toMatchObject({
    failure: {
      class: 'infrastructure',
      message: expect.stringContaining('used by something else: it runs for SMS/OS'),
    },
  });
  expect(seen).toEqual([]);
});

it('that cannot be armed keeps the candidate from booting', async () => {
  const arm = (): Promise<void> => Promise.reject(new Error('the BMC is busy'));
  expect(await run({ arm })).toMatchObject({
    failure: { class: 'infrastructure', message: expect.stringContaining('was not armed: the BMC is busy') },
    restored: true,
  });
  expect(seen).not.toContain('candidate');
});
