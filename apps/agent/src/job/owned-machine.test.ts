import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptEvent, TestResult } from '@peerlab/contracts';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_PACE, FAKE_SUITE, type FakeLab, type FakeLabOptions, startFakeLab } from '../fake/fake-lab.js';
import type { FakeMachine } from '../fake/fake-machine.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { acceptFingerprint } from './accept-fingerprint.js';
import { JobFailure } from './failure.js';
import { describeDifference, parseFingerprint } from './fingerprint.js';
import { MachineRecords } from './machine-record.js';
import type { Pace } from './pace.js';
import { AttemptContext } from './attempt-context.js';
import { recoverTestJob, runTestJob } from './test-job.js';

let folder: string;
let lab: FakeLab;
let fake: FakeMachine;
let records: MachineRecords;
let spool: AttemptSpool;
let stop: AbortController;
let leaseProblem: Error | null;
let spools: AttemptSpool[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'owned-machine-'));
  records = new MachineRecords(join(folder, 'state'));
  leaseProblem = null;
  spools = [];
});
afterEach(async () => {
  await fake.stop();
  for (const one of spools) one.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: FakeLabOptions): Promise<void> {
  lab = await startFakeLab(folder, options);
  fake = lab.fake;
}

const lease = {
  check: (): void => {
    if (leaseProblem !== null) throw leaseProblem;
  },
};

/** The next attempt on the machine, with a fence of its own. */
function attempt(pace: Partial<Pace> = {}): AttemptContext {
  const assignment = { ...lab.assign(), fence: 7 + spools.length };
  spool = AttemptSpool.create(join(folder, 'spool'), assignment);
  spools.push(spool);
  stop = new AbortController();
  const whole = { ...FAKE_PACE, ...pace };
  return new AttemptContext(
    assignment,
    assignment.work,
    lab.machine,
    lab.bundles,
    spool,
    whole,
    stop.signal,
    lease,
    records,
  );
}

const events = (): AttemptEvent[] =>
  spool
    .file('events')
    .read(0, 10_000, 1e9)
    .flatMap((entry) => ('event' in entry ? [entry.event] : []));
const notes = (): string =>
  spool
    .file('agent')
    .read(0, 10_000, 1e9)
    .flatMap((entry) => ('text' in entry ? [entry.text] : []))
    .join('\n');
const finished = (): Extract<AttemptEvent, { type: 'finished' }> => {
  const last = events().at(-1);
  if (last?.type !== 'finished') throw new Error(`the last event is ${last?.type}`);
  return last;
};
const resultOf = (test: string): TestResult | undefined =>
  events()
    .flatMap((event) => (event.type === 'result' ? [event.result] : []))
    .find((result) => result.test === test);
const sightings = (): string[] => events().flatMap((event) => (event.type === 'kernel' ? [event.sighting.phase] : []));

/** What root does who wants to stay: another sshd, another key, another default entry. */
function takeOver(machine: FakeMachine): void {
  machine.systemFiles.set('/usr/sbin/sshd', 'an sshd that lets somebody else in');
  machine.systemFiles.set('/root/.ssh/authorized_keys', 'ssh-ed25519 SOMEBODY');
  machine.systemFiles.set('/boot/grub/grub.cfg', 'set default=mine');
  machine.systemFiles.set('/etc/cron.d/stay', '@reboot root /var/tmp/stay');
}

describe('a machine whose disk can be reset', () => {
  it('gives the next attempt nothing of what a candidate changed as root, in one boot', async () => {
    await start({ disk: true });
    fake.onCandidateUp = takeOver;
    await runTestJob(attempt());
    expect(finished()).toMatchObject({ failure: null, restored: true });
    expect(fake.systemFiles.get('/usr/sbin/sshd')).toBe('the sshd that Debian ships');
    expect([...fake.systemFiles.keys()]).not.toContain('/etc/cron.d/stay');
    // The candidate, and the fresh disk: no orderly reboot, no removal of files, nothing asked of the candidate.
    expect(fake).toMatchObject({ running: 'default', boots: 2, diskResets: 1, resets: 0, diskState: 'fresh' });
    expect(fake.commands.filter((purpose) => ['clean', 'grub-remove', 'reboot'].includes(purpose))).toEqual(['reboot']);
    expect(sightings()).toEqual(['default-before', 'candidate', 'default-after']);
  });

  it('is not booted once more by an attempt that finds its disk fresh', async () => {
    await start({ disk: true });
    await runTestJob(attempt());
    await runTestJob(attempt());
    expect(finished()).toMatchObject({ failure: null, restored: true });
    expect(fake).toMatchObject({ boots: 4, diskResets: 2 });
  });

  it('begins an attempt on a fresh disk when another one was left there', async () => {
    await start({ disk: true });
    fake.diskState = 'used';
    takeOver(fake);
    await runTestJob(attempt());
    expect(finished()).toMatchObject({ failure: null, restored: true });
    expect(fake.diskResets).toBe(2);
    expect(notes()).toContain('an earlier attempt used the disk of v-switch');
    const claims = fake.commands.indexOf('fence-claim');
    expect(fake.commands.indexOf('fence-claim', claims + 1)).toBeGreaterThan(claims);
  });

  it('begins on a fresh disk, too, when the machine that was left does not answer', async () => {
    await start({ disk: true });
    fake.diskState = 'used';
    fake.goDown();
    await runTestJob(attempt({ reachMs: 300 }));
    expect(finished()).toMatchObject({ failure: null, restored: true });
    expect(fake.diskResets).toBe(2);
  });

  it('leaves the disk alone that a newer attempt uses', async () => {
    await start({ disk: true });
    fake.diskState = 'used';
    fake.fence = { fence: 99, token: 'newer' };
    await runTestJob(attempt());
    expect(finished().failure?.message).toContain('has the fence 99');
    expect(fake.diskResets).toBe(0);
  });

  it('keeps the disk over the reboots of one attempt: what runs after a crash is still the candidate', async () => {
    await start({
      disk: true,
      tests: [
        { id: 'F01', act: 'oops' },
        { id: 'F02', act: 'pass' },
      ],
    });
    await runTestJob(attempt());
    expect(resultOf('F02')).toMatchObject({ status: 'pass' });
    expect(fake.diskResets).toBe(1);
  });

  it('carries the fence of the last attempt, so that an older one is refused', async () => {
    await start({ disk: true });
    await runTestJob(attempt());
    await runTestJob(attempt());
    expect(fake.fence?.fence).toBe(8);
  });

  it('of a newer attempt is not reset by one that lost its lease', async () => {
    await start({ disk: true, tests: [{ id: 'F01', act: 'hang' }], testTimeoutSeconds: 60 });
    const running = runTestJob(attempt());
    await eventually('the test', () => fake.commands.includes('suite'));
    fake.fence = { fence: 99, token: 'newer' };
    leaseProblem = new JobFailure('infrastructure', 'the lease ran out');
    stop.abort(leaseProblem);
    await running;
    expect(finished()).toMatchObject({ restored: null });
    expect(fake).toMatchObject({ diskResets: 0, fence: { fence: 99 } });
  });

  it('is reset by an attempt without a lease when nobody newer has it', async () => {
    await start({ disk: true, tests: [{ id: 'F01', act: 'hang' }], testTimeoutSeconds: 60 });
    const running = runTestJob(attempt());
    await eventually('the test', () => fake.commands.includes('suite'));
    leaseProblem = new JobFailure('infrastructure', 'the lease ran out');
    stop.abort(leaseProblem);
    await running;
    expect(finished()).toMatchObject({ restored: true });
    expect(fake.commands).toContain('fence-check');
    expect(fake.diskResets).toBe(1);
  });

  it('that cannot be reset goes into quarantine and says why', async () => {
    await start({ disk: true });
    fake.onCandidateUp = (machine) => {
      machine.diskProblem = new Error('the lab does not run');
    };
    await runTestJob(attempt());
    expect(finished().restored).toBe(false);
    expect(resultOf('restore')?.reason).toContain('the lab does not run');
    expect(fake.diskState).toBe('used');
  });

  it('is restored by the next start of an agent that was killed in the middle of a reset', async () => {
    await start({ disk: true });
    const first = attempt();
    const { disk } = lab.machine;
    if (disk === null) throw new Error('no disk');
    const reset = disk.reset.bind(disk);
    const hung = new Promise<void>(() => undefined);
    let resets = 0;
    disk.reset = () => {
      resets += 1;
      return hung;
    };
    void runTestJob(first);
    await eventually('the reset', () => resets > 0);
    // A killed process writes nothing any more.
    Object.assign(spool, { appendEvent: () => 0, appendLine: () => 0, remember: () => undefined });
    spool.close();
    disk.reset = reset;
    const [found] = AttemptSpool.openAll(join(folder, 'spool'));
    if (found === undefined) throw new Error('the attempt is gone');
    spool = found;
    spools.push(found);
    leaseProblem = new Error('a recovered attempt has no lease');
    const { assignment, work, bundles } = first;
    const signal = new AbortController().signal;
    await recoverTestJob(
      new AttemptContext(assignment, work, lab.machine, bundles, spool, FAKE_PACE, signal, lease, records),
    );
    expect(finished()).toMatchObject({ failure: { class: 'infrastructure' }, restored: true });
    expect(fake).toMatchObject({ running: 'default', diskState: 'fresh', diskResets: 1 });
  });
});

describe('a machine whose disk keeps what a candidate writes', () => {
  it('is pinned at first sight, and each attempt is compared with that before and after', async () => {
    await start({});
    await runTestJob(attempt());
    expect(notes()).toContain('v-switch is seen for the first time; pinned 4 files');
    expect(notes()).toMatch(/restore: fingerprint [0-9a-f]{12}… as pinned/);
    await runTestJob(attempt());
    expect(finished()).toMatchObject({ failure: null, restored: true });
    expect(fake.commands.filter((purpose) => purpose === 'fingerprint')).toHaveLength(4);
  });

  it('goes into quarantine when a candidate changed it, with the names of the files', async () => {
    await start({});
    fake.onCandidateUp = takeOver;
    await runTestJob(attempt());
    expect(finished()).toMatchObject({ failure: null, restored: false });
    const reason = resultOf('restore')?.reason ?? '';
    for (const text of ['/usr/sbin/sshd changed', '/boot/grub/grub.cfg changed', '/etc/cron.d/stay is new']) {
      expect(reason).toContain(text);
    }
    expect(reason).toContain('--accept-fingerprint v-switch');
    // A reset would change nothing about it.
    expect(fake.resets).toBe(0);
    expect(records.read('v-switch').defaultAfter).toBeNull();
  });

  it('that changed between two attempts runs none, and is not called restored', async () => {
    await start({});
    await runTestJob(attempt());
    fake.systemFiles.set('/usr/sbin/sshd', 'exchanged');
    await runTestJob(attempt());
    expect(finished()).toMatchObject({ failure: { class: 'infrastructure', stage: 'prepare' }, restored: false });
    expect(finished().failure?.message).toContain('/usr/sbin/sshd changed');
    expect(resultOf('restore')).toMatchObject({ status: 'fail' });
    expect(sightings()).toEqual(['default-before']);
  });

  it('with another default kernel than the last attempt left raises the alarm', async () => {
    await start({});
    await runTestJob(attempt());
    fake.defaultBuildId = 'ab'.repeat(20);
    await runTestJob(attempt());
    expect(finished()).toMatchObject({ failure: { class: 'infrastructure', stage: 'prepare' }, restored: false });
    expect(finished().failure?.message).toMatch(/has build-id abab.*left d0d0/);
  });

  it('is accepted by a person, and only as it was seen', async () => {
    await start({});
    await runTestJob(attempt());
    fake.systemFiles.set('/boot/vmlinuz-6.1.0-50-cloud-amd64', 'after apt upgrade');
    fake.defaultBuildId = 'ab'.repeat(20);
    await runTestJob(attempt());
    expect(finished().restored).toBe(false);
    const config = { stateDir: join(folder, 'state'), machines: [{ name: 'v-switch' } as never] };
    expect(acceptFingerprint(config, 'v-switch')).toContain('/boot/vmlinuz-6.1.0-50-cloud-amd64 changed');
    await runTestJob(attempt());
    expect(finished()).toMatchObject({ failure: null, restored: true });
    fake.systemFiles.set('/usr/sbin/sshd', 'exchanged');
    await runTestJob(attempt());
    expect(finished().restored).toBe(false);
    expect(() => acceptFingerprint(config, 'v-other')).toThrow('no machine "v-other"');
  });

  it('is not learned anew in silence when its record is damaged', async () => {
    await start({});
    await runTestJob(attempt());
    writeFileSync(join(folder, 'state/machines/v-switch.json'), '{');
    await runTestJob(attempt());
    expect(finished().failure).toMatchObject({ class: 'infrastructure', stage: 'prepare' });
    expect(finished().failure?.message).toMatch(/v-switch\.json cannot be read.*remove the file/);
  });
});

describe('the plan of a suite', () => {
  const plans = (): string[][] => events().flatMap((event) => (event.type === 'plan' ? [event.tests] : []));

  it.each(['panic', 'garbage'] as const)('is known when the candidate does not boot: %s', async (how) => {
    await start({});
    fake.candidateBoots = [how];
    await runTestJob(attempt());
    expect(plans()).toEqual([['F01.alias_returned', 'F02.mixed_ranges']]);
    expect(fake.commands.filter((purpose) => purpose.startsWith('suite'))).toEqual([]);
  });

  it('that its manifest does not name is asked for on the candidate alone', async () => {
    await start({ namesTests: false });
    const kernels: string[] = [];
    fake.onEvent = (event) => {
      if (event.type === 'command' && event.purpose.startsWith('suite')) kernels.push(fake.running);
    };
    await runTestJob(attempt());
    expect(finished().failure).toBeNull();
    expect(plans()).toEqual([['F01.alias_returned', 'F02.mixed_ranges']]);
    expect(kernels).toEqual(['candidate', 'candidate']);
    expect(events().some((event) => event.type === 'plan' && event.suite === FAKE_SUITE)).toBe(true);
  });

  it('that nobody names stays unknown while the candidate does not boot', async () => {
    await start({ namesTests: false });
    fake.candidateBoots = ['panic'];
    await runTestJob(attempt());
    expect(plans()).toEqual([]);
    expect(fake.commands).not.toContain('suite-list');
  });
});

describe('fingerprints', () => {
  it('name the first files that differ and count the others', () => {
    const files = Object.fromEntries(Array.from({ length: 14 }, (_, n) => [`/lib/modules/m${n}`, 'a']));
    const changed = Object.fromEntries(Object.keys(files).map((path) => [path, 'b']));
    expect(describeDifference(files, changed)).toMatch(/^\/lib\/modules\/m0 changed, .*, and 4 more$/);
    expect(describeDifference({ '/a': 'x', '/b': 'y' }, { '/b': 'y', '/c': 'z' })).toBe('/c is new, /a is gone');
  });

  it('are a digest, and the list only where that is another one', () => {
    const digest = 'a'.repeat(64);
    expect(parseFingerprint(`${digest}\n`)).toEqual({ digest, files: null });
    expect(parseFingerprint(`${digest}\n${'b'.repeat(64)}  /boot/a b\nlink to ../x  /etc/y\n`)).toEqual({
      digest,
      files: { '/boot/a b': 'b'.repeat(64), '/etc/y': 'link to ../x' },
    });
    expect(() => parseFingerprint('mktemp: no space')).toThrow('did not give its fingerprint');
  });
});
