import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptEvent } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_PACE, type FakeLab, type FakeLabOptions, startFakeLab } from '../fake/fake-lab.js';
import type { FakeMachine } from '../fake/fake-machine.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { AttemptContext } from './attempt-context.js';
import { runTestJob } from './test-job.js';

/** The way back from a kernel under test, rung by rung: each with everything below it broken, and what is kept of the climb. */

let folder: string;
let lab: FakeLab;
let fake: FakeMachine;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-ladder-'));
});
afterEach(async () => {
  await fake.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A candidate that does not reboot when it is told to. */
async function setUp(broken: { sysrq?: FakeMachine['sysrq'] } = {}, options: FakeLabOptions = {}): Promise<void> {
  lab = await startFakeLab(folder, { bootSeconds: 1, ...options });
  fake = lab.fake;
  fake.onCandidateUp = () => {
    fake.wayDown = 'stays up';
    fake.sysrq = broken.sysrq ?? 'boots';
  };
}

/** What the power driver does, in place of what the machine's does. */
function setPower(power: { reset?: () => Promise<void>; cycle?: (signal?: AbortSignal) => Promise<void> }): void {
  const own = fake.power;
  Object.assign(lab.machine, { power: { ...own, ...power } });
}

const refused = (what: string) => async (): Promise<void> => {
  throw new Error(`the BMC refuses ${what}`);
};
/** The reset that works: whatever hung, hangs no more. */
const works = () => {
  const own = fake.power;
  return async (): Promise<void> => {
    fake.wayDown = 'boots';
    await own.reset();
  };
};

async function run(restoreMs = 60_000, powerMs = 1_000) {
  const assignment = lab.assign();
  const spool = AttemptSpool.create(join(folder, 'spool'), assignment);
  const pace = { ...FAKE_PACE, firmwareMs: 200, reachMs: 800, recoverMs: 800, powerMs, restoreMs };
  const stop = new AbortController().signal;
  const lease = { check: () => undefined };
  await runTestJob(new AttemptContext(assignment, assignment.work, lab.machine, lab.bundles, spool, pace, stop, lease));
  const events: AttemptEvent[] = spool
    .file('events')
    .read(0, 10_000, 1e9)
    .flatMap((entry) => ('event' in entry ? [entry.event] : []));
  const notes = spool
    .file('agent')
    .read(0, 100_000, 1e9)
    .flatMap((entry) => ('text' in entry ? [entry.text] : []))
    .join('\n');
  const finished = events.find((event) => event.type === 'finished');
  if (finished?.type !== 'finished') throw new Error('the attempt did not finish');
  const restore = events.flatMap((event) =>
    event.type === 'result' && event.result.test === 'restore' ? [event.result] : [],
  )[0];
  const passed = events.flatMap((event) =>
    event.type === 'result' && event.result.suite === 'p2p-functional' ? [event.result.status] : [],
  );
  const climbed = [...notes.matchAll(/^restore: (a [a-z ]+), (.*)$/gm)].map(([, rung = '', how = '']) => ({
    rung,
    how,
  }));
  return { ...finished, events, notes, restore, passed, climbed };
}

/** The default kernel runs, nothing of ours is left, and what the tests said before stands. */
function expectBack({ restored, failure, restore, passed }: Awaited<ReturnType<typeof run>>): void {
  expect({ restored, failure, status: restore?.status }).toEqual({ restored: true, failure: null, status: 'pass' });
  expect(passed).toEqual(['pass', 'pass']);
  expect(fake.running).toBe('default');
  expect(fake.customConfig).not.toContain('--id peerlab');
  expect(fake.installedModules.size).toBe(0);
}

const TIME = /after \d+(\.\d+)? (ms|s)$/;

describe('a kernel under test that does not reboot', () => {
  it('is left by sysrq, without a power driver too', async () => {
    await setUp({}, { power: false });
    const ended = await run();
    expectBack(ended);
    expect(ended.climbed.map(({ rung }) => rung)).toEqual(['a reboot by sysrq']);
    expect(ended.climbed[0]?.how).toMatch(/^6\.1\.0\S* answers after/);
    expect(ended.climbed[0]?.how).toMatch(TIME);
    expect(fake.resets).toBe(0);
  });

  it.each([
    ['nothing', /^which failed \(an answer of v-switch .*\) after/],
    ['refused', /^which failed \("sysrq-reboot" exited with 1.*\) after/],
  ] as const)('is reset where sysrq does not help: %s', async (sysrq, how) => {
    await setUp({ sysrq });
    setPower({ reset: works() });
    const ended = await run();
    expectBack(ended);
    expect(ended.climbed.map(({ rung }) => rung)).toEqual(['a reboot by sysrq', 'a reset']);
    expect(ended.climbed[0]?.how).toMatch(how);
    expect(ended.climbed[1]?.how).toMatch(/^6\.1\.0\S* answers after/);
    expect(fake.resets).toBe(1);
  });

  it.each([
    ['the BMC refuses it', refused('a reset'), /^which failed \(.*the BMC refuses a reset\) after/],
    [
      'its driver never ends',
      () => new Promise<void>(() => undefined),
      /^which failed \(what the power .*within 1\.0 s\) after/,
    ],
    ['the machine hangs after it', async () => fake.goDown(), /^no answer \(.+\) after/],
  ] as const)('gets a time without power where a reset does not help: %s', async (_, reset, how) => {
    await setUp({ sysrq: 'nothing' });
    const cycle = works();
    setPower({ reset, cycle });
    const ended = await run();
    expectBack(ended);
    expect(ended.climbed.map(({ rung }) => rung)).toEqual(['a reboot by sysrq', 'a reset', 'a time without power']);
    expect(ended.climbed[1]?.how).toMatch(how);
    expect(ended.climbed[2]?.how).toMatch(/^6\.1\.0\S* answers after/);
    for (const each of ended.climbed) expect(each.how).toMatch(TIME);
  });

  it('is not restored when nothing helps, and all that was tried is said with how it ended', async () => {
    await setUp({ sysrq: 'nothing' });
    const reset = async (): Promise<void> => {
      fake.goDown();
      fake.console('firmware: memory training failed');
    };
    setPower({ reset, cycle: refused('to switch it on') });
    const ended = await run();
    expect(ended.restored).toBe(false);
    expect(ended.restore).toMatchObject({ suite: 'farm', status: 'fail' });
    const reason = ended.restore?.reason ?? '';
    expect(reason).toMatch(/^v-switch was not restored: /);
    expect(reason).toMatch(
      /; tried: a reboot by sysrq, which failed \(.+\) after .+; a reset, no answer \(.+\) after .+; a time without power, which failed \(.*the BMC refuses to switch it on\) after .+$/,
    );
    expect(ended.restore?.durationMs).toBeGreaterThan(0);
    // The console of the whole way is attached.
    expect(ended.restore?.log).toMatchObject({ stream: 'serial' });
    expect(ended.events.at(-1)).toMatchObject({ type: 'finished', restored: false });
    expect(ended.passed).toEqual(['pass', 'pass']);
  });
});

it('a way back that takes too long ends at its limit, with what was tried until then', async () => {
  await setUp({ sysrq: 'refused' });
  const never = (signal?: AbortSignal): Promise<void> =>
    new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));
  setPower({ reset: refused('a reset'), cycle: never });
  const ended = await run(4_000, 60_000);
  expect(ended.restored).toBe(false);
  expect(ended.restore?.reason).toMatch(
    /restore ran past its limit of .+; tried: a reboot by sysrq, .+; a reset, .+; a time without power, which was cut off after/,
  );
});

it('the first failure stays the reason of the attempt, whatever the way back shows', async () => {
  await setUp({ sysrq: 'nothing' });
  setPower({ reset: refused('a reset'), cycle: refused('a cycle') });
  fake.candidateBoots = ['hang'];
  const ended = await run();
  expect(ended.failure?.stage).toBe('boot');
  expect(ended.failure?.message).not.toContain('a cycle');
  expect(ended.restored).toBe(false);
  expect(ended.restore?.reason).toContain('the BMC refuses a cycle');
});
