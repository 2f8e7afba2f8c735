import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptEvent, TestResult } from '@peerlab/contracts';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_NONCE, FAKE_PACE, type FakeLabOptions, startFakeLab } from '../fake/fake-lab.js';
import type { FakeMachine } from '../fake/fake-machine.js';
import { customConfig } from '../machine/drivers/grub.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { JobFailure } from './failure.js';
import type { Pace } from './pace.js';
import { AttemptContext } from './attempt-context.js';
import { recoverTestJob, runTestJob } from './test-job.js';

let folder: string;
let fake: FakeMachine;
let stop: AbortController;
let context: AttemptContext;
let spool: AttemptSpool;
/** What the lease says when it is asked; null = all is well. */
let leaseProblem: Error | null;
const lease = {
  check: (): void => {
    if (leaseProblem !== null) throw leaseProblem;
  },
};

/** For machines that stay away: nobody wants to wait for them. */
const HOPELESS = { reachMs: 300, recoverMs: 800 };

async function setUp({ pace = {}, ...options }: FakeLabOptions & { pace?: Partial<Pace> } = {}): Promise<void> {
  const lab = await startFakeLab(folder, options);
  fake = lab.fake;
  const assignment = lab.assign();
  spool = AttemptSpool.create(join(folder, 'spool'), assignment);
  stop = new AbortController();
  context = new AttemptContext(
    assignment,
    assignment.work,
    lab.machine,
    lab.bundles,
    spool,
    { ...FAKE_PACE, ...pace },
    stop.signal,
    lease,
  );
}

const events = (): AttemptEvent[] =>
  spool
    .file('events')
    .read(0, 10_000, 1e9)
    .flatMap((entry) => ('event' in entry ? [entry.event] : []));
const lines = (stream: 'serial' | 'kernel' | 'test' | 'agent'): string[] =>
  spool
    .file(stream)
    .read(0, 100_000, 1e9)
    .flatMap((entry) => ('text' in entry ? [entry.text] : []));
const finished = (): Extract<AttemptEvent, { type: 'finished' }> => {
  const last = events().at(-1);
  if (last?.type !== 'finished') throw new Error(`the last event is ${last?.type}`);
  return last;
};
const results = (): Record<string, TestResult> =>
  Object.fromEntries(events().flatMap((event) => (event.type === 'result' ? [[event.result.test, event.result]] : [])));
const statuses = (): Record<string, string> =>
  Object.fromEntries(Object.entries(results()).map(([test, result]) => [test, result.status]));
const expectRestored = (): void => {
  expect(finished().restored).toBe(true);
  expect(fake.running).toBe('default');
  expect(fake.customConfig).toBe('');
  expect(fake.nextEntry).toBeNull();
  expect([...fake.files.keys()]).toEqual([]);
};

beforeEach(() => {
  leaseProblem = null;
  folder = mkdtempSync(join(tmpdir(), 'agent-job-'));
});

afterEach(async () => {
  await fake.stop();
  spool.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a test job on a healthy machine', () => {
  it('flashes, proves, tests and restores, with evidence for each step', async () => {
    const proof = { test: 'F01', expected: 'peer', taken: 'BUS_ADDR', detail: { 'alias pages': 4 } };
    await setUp({
      tests: [
        { id: 'F01.alias_returned', act: 'pass', proof },
        { id: 'F02.compare', act: 'oracle' },
        { id: 'F03.write', act: 'fail' },
        { id: 'F04.errno', act: 'skip' },
        { id: 'F05.warns', act: 'warn' },
        { id: 'F06.quiet', act: 'pass' },
      ],
    });
    // The kernel's log is another stream, and a warning counts by when it comes: the agent has to know of the test first.
    fake.programs.set('F05.warns', async () => {
      await eventually('the announcement of F05', () => lines('test').includes('# test: F05.warns'));
    });
    await runTestJob(context);
    expect(finished().failure).toBeNull();
    expect(statuses()).toEqual({
      boot: 'pass',
      'F01.alias_returned': 'pass',
      'F02.compare': 'pass',
      'F03.write': 'fail',
      'F04.errno': 'skip',
      'F05.warns': 'pass',
      'F06.quiet': 'pass',
      restore: 'pass',
    });
    expect(results()['F01.alias_returned']?.proof).toMatchObject(proof);
    expect(results()['F03.write']?.reason).toBe('expected 1, got 2');
    expect(results()['F04.errno']?.reason).toBe('kernel lacks it');
    expect(results()['F05.warns']?.warnings).toEqual([
      'WARNING in hmm_vma_walk_pmd',
      'KASAN: slab-use-after-free Read in p2pvram_map',
    ]);
    expect(results()['F06.quiet']?.warnings).toEqual([]);
    const log = results()['F03.write']?.log;
    expect(lines('test').slice(log?.fromSeq, (log?.toSeq ?? 0) + 1)).toEqual([
      '# test: F03.write',
      '# expected 1, got 2',
      'not ok 3 F03.write',
    ]);
    const sightings = events().flatMap((event) => (event.type === 'kernel' ? [event.sighting] : []));
    expect(sightings.map(({ phase, proven, nonce }) => ({ phase, proven, nonce }))).toEqual([
      { phase: 'default-before', proven: true, nonce: null },
      { phase: 'candidate', proven: true, nonce: FAKE_NONCE },
      { phase: 'default-after', proven: true, nonce: null },
    ]);
    const stages = events().flatMap((event) => (event.type === 'stage' ? [`${event.stage} ${event.status}`] : []));
    expect(stages).toEqual(
      ['prepare', 'flash', 'boot', 'verify', 'test', 'collect', 'restore'].flatMap((stage) => [
        `${stage} started`,
        `${stage} passed`,
      ]),
    );
    expect(finished().lineCounts).toEqual({
      serial: lines('serial').length,
      kernel: lines('kernel').length,
      test: lines('test').length,
      agent: lines('agent').length,
    });
    expect(lines('kernel').filter((line) => line.includes('WARNING'))).toHaveLength(1);
    expect(fake.boots).toBe(2);
    expectRestored();
  });

  it('keeps what the default kernel says about the machine and adds the fallback', async () => {
    await setUp();
    await runTestJob(context);
    const line = lines('agent').find((text) => text.includes('command line: ')) ?? '';
    expect(line).toContain('root=/dev/vda1 rw console=ttyS0,115200 net.ifnames=0 ');
    expect(line).toContain(`peerlab.nonce=${FAKE_NONCE}`);
    expect(line).toContain(' panic=5 oops=panic ');
    expect(line).not.toContain('quiet');
    expect(line).toContain(`peerlab_provider.devices=${context.work.path.provider.address}`);
  });

  it('reboots a machine that still runs a left-over candidate first', async () => {
    await setUp();
    fake.customConfig = customConfig('', {
      grubPath: '/boot/x',
      commandLine: 'peerlab.nonce=old',
      fileSystem: 'ABCD-1234',
    });
    fake.nextEntry = 'peerlab-candidate';
    await fake.reboot();
    expect(fake.running).toBe('candidate');
    await runTestJob(context);
    expect(finished().failure).toBeNull();
    expect(lines('agent').join('\n')).toMatch(
      /prepare: v-switch runs 7\.3\.4-peerlab-\S+, a kernel under test; rebooting/,
    );
    expectRestored();
  });
});

describe('a kernel that does not come up', () => {
  it('panics: crash with signature and serial evidence', async () => {
    await setUp();
    fake.candidateBoots = ['panic'];
    await runTestJob(context);
    expect(finished().failure).toMatchObject({ class: 'kernel-crash', stage: 'boot' });
    const boot = results().boot;
    expect(boot).toMatchObject({ status: 'crash', signature: 'kernel panic: peerlab: panic at boot' });
    const evidence = lines('serial').slice(boot?.log?.fromSeq, (boot?.log?.toSeq ?? 0) + 1);
    expect(evidence[0]).toContain('Kernel panic - not syncing');
    expect(fake.resets).toBe(0);
    expectRestored();
  });

  it('is stopped by the hardware: trouble of the lab, and no result of the kernel', async () => {
    await setUp();
    fake.candidateBoots = ['machine-check'];
    await runTestJob(context);
    expect(finished().failure).toMatchObject({ class: 'infrastructure', stage: 'boot', signature: null });
    expect(finished().failure?.message).toMatch(/^the hardware stopped the kernel: .*Fatal machine check/);
    expect(results().boot).toBeUndefined();
    expectRestored();
  });

  it('is stopped by the hardware in a test: the same, and what passed before stays', async () => {
    const acts = ['pass', 'machine-check', 'pass'] as const;
    await setUp({ tests: acts.map((act, at) => ({ id: `F0${at + 1}`, act })) });
    await runTestJob(context);
    expect(finished().failure).toMatchObject({ class: 'infrastructure', stage: 'test', signature: null });
    expect(statuses()).toMatchObject({ F01: 'pass' });
    expect(Object.values(statuses())).not.toContain('crash');
    expectRestored();
  });

  it('hangs: provisioning failure with the last serial line, after a reset', async () => {
    await setUp({ bootSeconds: 1 });
    fake.candidateBoots = ['hang'];
    await runTestJob(context);
    expect(finished().failure).toMatchObject({ class: 'provisioning', stage: 'boot' });
    expect(finished().failure?.message).toContain('last serial line: [    0.500000] peerlab: now I hang');
    expect(results().boot?.status).toBe('timeout');
    expect(fake.resets).toBe(1);
    expectRestored();
  });

  it('is garbage: provisioning failure with what GRUB said', async () => {
    await setUp();
    fake.candidateBoots = ['garbage'];
    await runTestJob(context);
    expect(finished().failure).toMatchObject({
      class: 'provisioning',
      message: 'GRUB could not load the image: invalid magic number',
    });
    expect(fake.resets).toBe(0);
    expectRestored();
  });

  it.each(['panic', 'garbage'] as const)('%s: waits for a slow default kernel instead of resetting it', async (how) => {
    await setUp({ bootSeconds: 1 });
    fake.candidateBoots = [how];
    fake.defaultBootMs = 1_200;
    await runTestJob(context);
    expect(finished().failure?.class).toBe(how === 'panic' ? 'kernel-crash' : 'provisioning');
    expect(fake.resets).toBe(0);
    expectRestored();
  });

  it('resets without a word: provisioning failure that says so', async () => {
    await setUp();
    fake.candidateBoots = ['silent-reset'];
    await runTestJob(context);
    expect(finished().failure?.class).toBe('provisioning');
    expect(finished().failure?.message).toContain('without a crash report');
    expectRestored();
  });

  it('is another kernel than the bundle: infrastructure, no result of the boot, sighting not proven', async () => {
    await setUp();
    fake.candidateBoots = ['wrong-build'];
    await runTestJob(context);
    expect(finished().failure).toMatchObject({ class: 'infrastructure', stage: 'verify' });
    expect(finished().failure?.message).toMatch(/wrong kernel: .* its build-id is (ee){20}, the bundle's is/);
    expect(results().boot).toBeUndefined();
    const sightings = events().flatMap((event) => (event.type === 'kernel' ? [event.sighting] : []));
    expect(sightings.find(({ phase }) => phase === 'candidate')).toMatchObject({ proven: false });
    // Nothing of it was run.
    expect(fake.commands).not.toContain('suite');
    expectRestored();
  });

  it('never comes back, nor does the default: infrastructure, not restored', async () => {
    await setUp({ bootSeconds: 1, pace: HOPELESS });
    fake.candidateBoots = ['lost-forever'];
    await runTestJob(context);
    expect(finished().failure?.class).toBe('infrastructure');
    expect(finished().restored).toBe(false);
    expect(results().restore?.status).toBe('fail');
  });

  it('hangs without a power driver: infrastructure that asks for one', async () => {
    await setUp({ bootSeconds: 1, power: false, pace: HOPELESS });
    fake.candidateBoots = ['hang'];
    await runTestJob(context);
    expect(finished().failure?.message).toContain('configure power:');
    expect(finished().restored).toBe(false);
  });
});

describe('trouble in the middle of a suite', () => {
  it('an oops pins itself to its test; the rest runs after a reboot', async () => {
    await setUp({
      tests: [
        { id: 'F01', act: 'pass' },
        { id: 'F02', act: 'oops' },
        { id: 'F03', act: 'pass' },
      ],
    });
    await runTestJob(context);
    expect(finished().failure).toBeNull();
    expect(statuses()).toMatchObject({ F01: 'pass', F02: 'crash', F03: 'pass' });
    expect(results().F02).toMatchObject({
      signature: 'BUG: unable to handle kernel NULL pointer dereference in peerlab_broken',
      log: { stream: 'serial' },
    });
    const log = results().F02?.log;
    const evidence = lines('serial').slice(log?.fromSeq, (log?.toSeq ?? 0) + 1);
    expect(evidence[0]).toContain('NULL pointer');
    expect(evidence.join('\n')).toContain('Rebooting in 5 seconds');
    expect(fake.boots).toBe(4);
    expectRestored();
  });

  it('a crash whose announcement was lost belongs to the next test of the plan', async () => {
    await setUp({
      tests: [
        { id: 'F01', act: 'pass' },
        { id: 'F02', act: 'oops-before-announcing' },
      ],
    });
    await runTestJob(context);
    expect(statuses()).toMatchObject({ F01: 'pass', F02: 'crash' });
    expect(results().F02?.reason).toContain('its announcement did not arrive');
    expectRestored();
  });

  it('a hanging test times out, the machine is reset, the rest runs', async () => {
    await setUp({
      tests: [
        { id: 'F01', act: 'hang' },
        { id: 'F02', act: 'pass' },
      ],
      testTimeoutSeconds: 1,
    });
    await runTestJob(context);
    expect(statuses()).toMatchObject({ F01: 'timeout', F02: 'pass' });
    expect(fake.resets).toBe(1);
    expect(fake.commands).toContain('sysrq');
    expectRestored();
  });

  it('a suite past its limit leaves its remaining tests not reached', async () => {
    await setUp({
      tests: [
        { id: 'F01', act: 'hang' },
        { id: 'F02', act: 'pass' },
      ],
      timeoutSeconds: 1,
    });
    await runTestJob(context);
    expect(statuses()).toMatchObject({ F01: 'timeout', F02: 'not-reached' });
    expectRestored();
  });

  it('a broken connection to a living kernel costs nothing', async () => {
    await setUp({
      tests: [
        { id: 'F01', act: 'pass' },
        { id: 'F02', act: 'drop-link' },
        { id: 'F03', act: 'pass' },
      ],
    });
    await runTestJob(context);
    expect(statuses()).toMatchObject({ F01: 'pass', F02: 'pass', F03: 'pass' });
    expect(fake.commands).toContain('suite-kill');
    expect(fake.boots).toBe(2);
    expectRestored();
  });

  it('a test program that dies fails its test; what was left is not reached', async () => {
    await setUp({
      tests: [
        { id: 'F01', act: 'exit' },
        { id: 'F02', act: 'pass' },
      ],
    });
    await runTestJob(context);
    expect(statuses()).toMatchObject({ F01: 'fail', F02: 'not-reached' });
    expect(lines('agent').join('\n')).toContain('harness');
    expectRestored();
  });

  it('after four crashes the rest is not reached', async () => {
    await setUp({
      tests: ['A', 'B', 'C', 'D', 'E'].map((id) => ({ id, act: 'oops' as const })),
    });
    await runTestJob(context);
    expect(statuses()).toMatchObject({ A: 'crash', B: 'crash', C: 'crash', D: 'crash', E: 'not-reached' });
    expectRestored();
  });

  it('a module that crashes the kernel ends the attempt as a crash', async () => {
    await setUp();
    fake.moduleProblems.set('peerlab_provider', 'oops');
    await runTestJob(context);
    expect(finished().failure).toMatchObject({
      class: 'kernel-crash',
      stage: 'test',
      signature: 'BUG: unable to handle kernel NULL pointer dereference in peerlab_provider_init',
    });
    expectRestored();
  });
});

describe('trouble with the machine', () => {
  it('an unreachable machine is infrastructure with a remedy, and untouched', async () => {
    await setUp({ pace: HOPELESS });
    await fake.ssh.close();
    await runTestJob(context);
    expect(finished()).toMatchObject({ failure: { class: 'infrastructure', stage: 'prepare' }, restored: true });
    expect(finished().failure?.message).toMatch(/does not answer by SSH.*check that the machine is on/);
  });

  it('a changed host key shows both fingerprints and the remedy', async () => {
    await setUp();
    await fake.ssh.changeHostKey();
    await runTestJob(context);
    expect(finished().failure?.class).toBe('infrastructure');
    expect(finished().failure?.message).toMatch(/expected SHA256:\S+, seen SHA256:\S+; .*shell\.hostKey/);
    expect(fake.commands).toEqual([]);
  });

  it('a full disk is named with what is needed before anything is copied', async () => {
    await setUp();
    fake.freeBytes = 12 * 1024 * 1024;
    await runTestJob(context);
    expect(finished().failure).toMatchObject({ class: 'infrastructure', stage: 'prepare' });
    expect(finished().failure?.message).toMatch(/v-switch has 12\.0 MiB free in \/, needs \d+\.\d MiB; remove/);
    expect(finished().restored).toBe(true);
  });

  it('a boot loader that cannot boot once is refused', async () => {
    await setUp();
    fake.grubProblem = 'no';
    await runTestJob(context);
    expect(finished().failure?.message).toContain('one-shot boot is not safe');
  });

  it('a default kernel that changed over the job is not restored', async () => {
    await setUp();
    const running = runTestJob(context);
    await eventually('the candidate', () => fake.running === 'candidate');
    fake.defaultBuildId = 'ab'.repeat(20);
    await running;
    expect(finished().restored).toBe(false);
    expect(results().restore?.reason).toContain('another kernel than before');
  });
});

describe('endings from outside', () => {
  it('cancel in a test stops it and restores the machine', async () => {
    await setUp({ tests: [{ id: 'F01', act: 'hang' }], testTimeoutSeconds: 60 });
    const running = runTestJob(context);
    await eventually('the test', () => lines('test').includes('# test: F01'));
    stop.abort(new JobFailure('canceled', 'a person said so'));
    await running;
    expect(finished().failure).toMatchObject({ class: 'canceled', stage: 'test', message: 'a person said so' });
    expectRestored();
  });

  it('cancel while it reboots restores the machine', async () => {
    await setUp();
    const running = runTestJob(context);
    await eventually('the reboot', () => fake.commands.includes('reboot'));
    stop.abort(new JobFailure('canceled', 'enough'));
    await running;
    expect(finished().failure).toMatchObject({ class: 'canceled', stage: 'boot' });
    expectRestored();
  });

  it('a restarted agent restores the machine and says where it was', async () => {
    await setUp({ tests: [{ id: 'F01', act: 'hang' }], testTimeoutSeconds: 60 });
    const abandoned = runTestJob(context).catch(() => undefined);
    await eventually('the test', () => lines('test').includes('# test: F01'));
    // The first life goes on for a moment; like a killed process, it may not write any more.
    Object.assign(spool, { appendEvent: () => 0, appendLine: () => 0, remember: () => undefined });
    stop.abort(new JobFailure('canceled', 'killed'));
    context.connection.leave();
    await abandoned;
    const serialBefore = lines('serial').length;
    spool.close();
    const [found] = AttemptSpool.openAll(join(folder, 'spool'));
    if (found === undefined) throw new Error('the attempt is gone');
    spool = found;
    const { assignment, work, machine, bundles } = context;
    await recoverTestJob(
      new AttemptContext(assignment, work, machine, bundles, spool, FAKE_PACE, new AbortController().signal, lease),
    );
    expect(finished().failure).toMatchObject({
      class: 'infrastructure',
      message: expect.stringContaining('restarted in stage'),
    });
    expect(lines('serial').length).toBeGreaterThan(serialBefore);
    expect(lines('serial').filter((line) => line.includes('[    0.000000] Linux version 7.3.4'))).toHaveLength(1);
    expectRestored();
  });
});
