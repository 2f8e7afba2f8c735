import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptEvent } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_PACE, type FakeLab, type FakeLabOptions, startFakeLab } from '../fake/fake-lab.js';
import type { FakeMachine } from '../fake/fake-machine.js';
import { createCommandPower } from '../machine/drivers/command-power.js';
import { createIpmiPower } from '../machine/drivers/ipmi-power.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { labOutlet } from '../testing/lab-outlet.js';
import { type Outlet, startOutlet } from '../testing/outlet.js';
import { AttemptContext } from './attempt-context.js';
import { JobFailure } from './failure.js';
import { runTestJob } from './test-job.js';
import { WorkLimit } from './work-limit.js';

/** The way back from a kernel under test, rung by rung: each with everything below it broken, and what is kept of the climb. */

let folder: string;
let lab: FakeLab;
let fake: FakeMachine;

/** Throws once the attempt has lost its lease. */
let leaseLoss: () => void;

beforeEach(() => {
  leaseLoss = () => undefined;
  folder = mkdtempSync(join(tmpdir(), 'peerlab-ladder-'));
});
const atEnd: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of atEnd.splice(0)) await end();
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

/** A BMC whose address takes packets and never answers, and an outlet by the command of the guide for labs. */
async function setBmcAndOutlet(): Promise<Outlet> {
  const silent = createSocket('udp4');
  await new Promise<void>((resolve) => silent.bind(0, '127.0.0.1', resolve));
  const outlet = await startOutlet();
  atEnd.push(
    () => new Promise((resolve) => silent.close(() => resolve())),
    () => outlet.stop(),
  );
  outlet.onChange = (state) => {
    if (state === 'off') return fake.goDown();
    fake.wayDown = 'boots';
    void fake.power.reset();
  };
  const passwordFile = join(folder, 'bmc-password');
  writeFileSync(passwordFile, 'x', { mode: 0o600 });
  const power = createIpmiPower({
    protocol: 'ipmi',
    host: '127.0.0.1',
    port: silent.address().port,
    user: 'lab',
    passwordFile,
    privilege: 'administrator',
    cipherSuite: 3,
  });
  // It answered when the job began.
  const quick = { pollMs: 10, reachMs: 5_000, againMs: 2_000, coldMs: 10 };
  const otherPower = [createCommandPower('v-switch', labOutlet(outlet, folder), quick)];
  Object.assign(lab.machine, { power: { ...power, state: () => fake.power.state() }, otherPower });
  return outlet;
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

/** @param limitMs of the attempt's work; null = it has none */
async function run(restoreMs = 60_000, powerMs = 1_000, recoverMs = 800, limitMs: number | null = null) {
  const assignment = lab.assign();
  const spool = AttemptSpool.create(join(folder, 'spool'), assignment);
  const pace = { ...FAKE_PACE, firmwareMs: 200, reachMs: 800, recoverMs, powerMs, restoreMs };
  const stop = new AbortController();
  const late = new JobFailure('timeout', 'the attempt ran past its limit');
  const limit = limitMs === null ? null : new WorkLimit(limitMs, () => stop.abort(late));
  const lease = { check: () => leaseLoss() };
  const given = [assignment, assignment.work, lab.machine, lab.bundles, spool, pace, stop.signal, lease] as const;
  await runTestJob(new AttemptContext(...given, null, null, null, limit));
  limit?.end();
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
  const climbed = [...notes.matchAll(/^restore: (a [a-z ]+(?:by power \d \(.+?\))?), (.*)$/gm)].map(
    ([, rung = '', how = '']) => ({
      rung,
      how,
    }),
  );
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
    [
      'the BMC accepts it and does nothing',
      () => Promise.resolve(),
      /^no answer \(.*still runs the kernel from before/,
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

const BY_BMC = expect.stringMatching(/^a (reset|time without power) by power 1 \(BMC 127\.0\.0\.1\)$/);
const OUTLET = 'by power 2 (the power command of v-switch)';

describe('with an outlet behind its BMC', () => {
  it('is reset by the outlet when the BMC does not answer, and the log says both with their times', async () => {
    await setUp({ sysrq: 'nothing' });
    const outlet = await setBmcAndOutlet();
    const ended = await run(60_000, 5_000, 3_000);
    expectBack(ended);
    expect(ended.climbed.map(({ rung }) => rung)).toEqual(['a reboot by sysrq', BY_BMC, BY_BMC, `a reset ${OUTLET}`]);
    for (const { how } of ended.climbed.slice(1, 3)) expect(how).toMatch(/^which failed \(.+\) after/);
    expect(ended.climbed[3]?.how).toMatch(/^6\.1\.0\S* answers after/);
    for (const each of ended.climbed) expect(each.how).toMatch(TIME);
    expect(outlet.orders()).toEqual(['cycle']);
  });

  it('is not restored when the outlet is dead too, with both reasons', async () => {
    await setUp({ sysrq: 'nothing' });
    const outlet = await setBmcAndOutlet();
    fake.onCandidateUp = ((before) => (machine: FakeMachine) => {
      before(machine);
      outlet.behave('hangs');
    })(fake.onCandidateUp);
    const ended = await run(60_000, 1_000);
    expect(ended.restored).toBe(false);
    expect(ended.climbed.map(({ rung }) => rung)).toEqual([
      'a reboot by sysrq',
      BY_BMC,
      BY_BMC,
      `a reset ${OUTLET}`,
      `a time without power ${OUTLET}`,
    ]);
    const reason = ended.restore?.reason ?? '';
    expect(reason).toMatch(/a reset by power 1 \(BMC 127\.0\.0\.1\), which failed \(.+\) after/);
    expect(reason).toMatch(
      /a time without power by power 2 \(the power command of v-switch\), which failed \(.+\) after/,
    );
    expect(ended.events.at(-1)).toMatchObject({ type: 'finished', restored: false });
  });

  it('resets a candidate that hangs by the outlet already in the boot, and the kernel is judged', async () => {
    await setUp();
    const outlet = await setBmcAndOutlet();
    Object.assign(lab.machine, { power: { ...lab.machine.power, reset: refused('a reset') } });
    fake.candidateBoots = ['hang'];
    const ended = await run();
    expect(ended.failure).toMatchObject({ class: 'provisioning', stage: 'boot' });
    expect(ended.restored).toBe(true);
    expect(ended.notes).toMatch(
      /^power: a reset by power 1 \(BMC .+\), which failed \(.*the BMC refuses a reset\) after/m,
    );
    expect(ended.notes).toMatch(/^power: a reset by power 2 \(.+\), 6\.1\.0\S* answers after/m);
    expect(outlet.orders()[0]).toBe('cycle');
  });

  it('gets a device back by the outlet that a cycle by the BMC did not bring back', async () => {
    await setUp();
    const outlet = await setBmcAndOutlet();
    const whole = fake.devices;
    fake.onCandidateUp = () => {
      fake.devices = whole.slice(0, 1);
    };
    const { onChange } = outlet;
    outlet.onChange = (state) => {
      fake.devices = whole;
      onChange(state);
    };
    Object.assign(lab.machine, { power: { ...fake.power, name: 'BMC 127.0.0.1', cycle: () => fake.reboot() } });
    const ended = await run(60_000, 10_000, 5_000);
    expect({ restored: ended.restored, reason: ended.restore?.reason }).toEqual({ restored: true, reason: null });
    expect(ended.climbed.map(({ rung }) => rung)).toEqual([BY_BMC, `a time without power ${OUTLET}`]);
    expect(outlet.orders()).toEqual(['off', 'on']);
  });
});

describe('a candidate that hangs at boot', () => {
  it('gets a time without power where a reset does nothing, and is judged', async () => {
    await setUp();
    fake.candidateBoots = ['hang'];
    setPower({ reset: () => Promise.resolve(), cycle: works() });
    const ended = await run();
    expect(ended.failure).toMatchObject({
      class: 'provisioning',
      stage: 'boot',
      message: expect.stringContaining('hung'),
    });
    expect(ended.restored).toBe(true);
    expect(ended.notes).toMatch(/^power: a reset, no answer \(.+\) after/m);
    expect(ended.notes).toMatch(/^power: a time without power, 6\.1\.0\S* answers after/m);
  });

  it('is judged, however long that takes: the attempt’s limit is one of its work', async () => {
    await setUp();
    fake.candidateBoots = ['hang'];
    setPower({ reset: () => Promise.resolve(), cycle: works() });
    const ended = await run(60_000, 1_000, 12_000, 10_000);
    expect(ended.failure).toMatchObject({ class: 'provisioning', stage: 'boot' });
    expect(ended.notes).toMatch(/^power: a reset, no answer \(.+\) after 1\d(\.\d)? s$/m);
  });

  it('is left alone by a driver that is in the middle of its orders when the lease is lost', async () => {
    await setUp();
    fake.candidateBoots = ['hang'];
    const lost = new JobFailure('infrastructure', 'the lease is lost');
    const reset = (): Promise<void> => {
      leaseLoss = () => {
        throw lost;
      };
      return new Promise(() => undefined);
    };
    setPower({ reset, cycle: works() });
    // Were it not cut off, a minute would pass.
    const ended = await run(60_000, 60_000);
    expect(ended.failure?.stage).toBe('boot');
    expect(ended.notes).toMatch(/^power: a reset, which failed \(the lease is lost\) after \d+ ms$/m);
    expect(ended.notes).toMatch(/^power: a time without power, which failed \(the lease is lost\) after/m);
  });

  it('is not waited for when a power driver never ends', async () => {
    await setUp();
    fake.candidateBoots = ['hang'];
    setPower({ reset: () => new Promise<void>(() => undefined), cycle: works() });
    const ended = await run();
    expect(ended.failure).toMatchObject({ class: 'provisioning', stage: 'boot' });
    expect(ended.notes).toMatch(/^power: a reset, which failed \(what the power driver was told.+\) after/m);
  });
});

it('a way back that takes too long ends at its limit, with what was tried until then', async () => {
  await setUp();
  fake.onCandidateUp = ((before) => (machine: FakeMachine) => {
    before(machine);
    fake.answers.set('clean', () => undefined);
  })(fake.onCandidateUp);
  const ended = await run(100, 100, 1_500);
  expect(ended.restored).toBe(false);
  expect(ended.restore?.reason).toMatch(
    /restore ran past its limit of .+; tried: a reboot by sysrq, 6\.1\.0\S* answers after .+/,
  );
});

it('the limit of a way back leaves each rung its time', async () => {
  await setUp({ sysrq: 'nothing' });
  setPower({ reset: () => Promise.resolve(), cycle: works() });
  const ended = await run(100);
  expectBack(ended);
  expect(ended.climbed.map(({ rung }) => rung)).toEqual(['a reboot by sysrq', 'a reset', 'a time without power']);
});

it('the first failure stays the reason of the attempt, whatever the way back shows', async () => {
  await setUp({ sysrq: 'nothing' });
  setPower({ reset: refused('a reset'), cycle: refused('a cycle') });
  fake.candidateBoots = ['hang'];
  const ended = await run();
  expect(ended.failure?.stage).toBe('boot');
  expect(ended.failure?.message).toMatch(/^v-switch did not come back; tried: a reset, .+; a time without power, /);
  // Which is tried when it is restored.
  expect(ended.failure?.message).not.toContain('sysrq');
  expect(ended.restored).toBe(false);
  expect(ended.restore?.reason).toContain('the BMC refuses a cycle');
});
