import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptEvent } from '@peerlab/contracts';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_PACE, type FakeLab, type FakeLabOptions, startFakeLab } from '../fake/fake-lab.js';
import { elfWithBuildId } from '../fake/fake-bundle.js';
import type { FakeMachine } from '../fake/fake-machine.js';
import { tarEntry, tarFolder, tarOf } from '../fake/tar-bytes.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { AttemptContext } from './attempt-context.js';
import { buildIdOfElf } from './elf-build-id.js';
import { MachineRecords } from './machine-record.js';
import type { Pace } from './pace.js';
import { whyNoPlainRoot } from './stages/flash.js';
import { runTestJob } from './test-job.js';
import { until } from '../timing.js';

/** No finding without proof that the candidate was loaded: what a boot's failure is called, and what is done about it. */

let folder: string;
let lab: FakeLab;
let fake: FakeMachine;
let records: MachineRecords;
let spool: AttemptSpool;
let attempts = 0;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-test-truth-'));
  records = new MachineRecords(folder);
  attempts = 0;
});
afterEach(async () => {
  await fake.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function setUp(options: FakeLabOptions = {}): Promise<void> {
  lab = await startFakeLab(folder, { bootSeconds: 1, ...options });
  fake = lab.fake;
}

/** A reset ends a kernel that hangs on its way down. */
function resetEndsTheHang(): void {
  const { power } = fake;
  Object.assign(lab.machine, {
    power: {
      ...power,
      reset: async () => {
        fake.wayDown = 'boots';
        await power.reset();
      },
    },
  });
}

type Finished = Extract<AttemptEvent, { type: 'finished' }>;

async function runAttempt(pace: Partial<Pace> = {}): Promise<Finished & { events: AttemptEvent[]; notes: string }> {
  attempts += 1;
  const assignment = { ...lab.assign(), fence: 6 + attempts };
  spool = AttemptSpool.create(join(folder, `spool-${attempts}`), assignment);
  const lease = { check: () => undefined };
  const stop = new AbortController().signal;
  const paced = { ...FAKE_PACE, firmwareMs: 300, ...pace };
  await runTestJob(
    new AttemptContext(assignment, assignment.work, lab.machine, lab.bundles, spool, paced, stop, lease, records),
  );
  const events = spool
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
  return { ...finished, events, notes };
}

/** The farm's own result of the boot; null = it says nothing about the candidate. */
const bootResult = (events: readonly AttemptEvent[]): string | null =>
  events.flatMap((event) =>
    event.type === 'result' && event.result.test === 'boot' ? [event.result.status] : [],
  )[0] ?? null;

describe('a candidate that nothing proves to have been loaded is not blamed', () => {
  it('the default kernel hangs on its way down: the reset boots the candidate, which counts', async () => {
    await setUp();
    fake.wayDown = 'hangs';
    resetEndsTheHang();
    const { failure, restored, events, notes } = await runAttempt();
    expect(failure).toBeNull();
    expect(bootResult(events)).toBe('pass');
    expect(restored).toBe(true);
    expect(notes).toContain('the candidate came up after the reset');
  });

  it('the default kernel hangs on its way down, and the selection is lost: infrastructure', async () => {
    await setUp();
    fake.wayDown = 'hangs';
    fake.ignoresSelection = true;
    resetEndsTheHang();
    const { failure, restored, events } = await runAttempt();
    expect(failure).toMatchObject({ class: 'infrastructure', stage: 'boot', trouble: 'fallback' });
    expect(failure?.message).toContain("neither GRUB's mark nor the candidate's first line is on the console");
    expect(bootResult(events)).toBeNull();
    expect(restored).toBe(true);
    expect(fake.nextEntry).toBeNull();
  });

  it('the reset boots the candidate, which hangs: it is blamed, when the default kernel came back by what is harder', async () => {
    await setUp();
    fake.wayDown = 'hangs';
    fake.candidateBoots = ['hang'];
    resetEndsTheHang();
    const { power } = lab.machine;
    Object.assign(lab.machine, { power: { ...power, cycle: () => fake.power.reset() } });
    const { failure, restored, notes } = await runAttempt({ recoverMs: 1_500 });
    expect(failure).toMatchObject({ class: 'provisioning', stage: 'boot', message: expect.stringContaining('hung') });
    expect(failure?.trouble ?? null).toBeNull();
    expect(notes).toMatch(/^power: next is a time without power$/m);
    expect(restored).toBe(true);
  });

  it('GRUB does not see the selection: infrastructure that says so', async () => {
    await setUp();
    fake.ignoresSelection = true;
    const { failure, events } = await runAttempt();
    expect(failure).toMatchObject({ class: 'infrastructure', stage: 'boot', trouble: 'not-taken' });
    expect(failure?.message).toContain('the selection still stands');
    expect(bootResult(events)).toBeNull();
    expect(fake.nextEntry).toBeNull();
  });

  it('the default kernel crashes on its way down: infrastructure that names the crash', async () => {
    await setUp();
    fake.wayDown = 'crashes';
    fake.ignoresSelection = true;
    const { failure, events } = await runAttempt();
    expect(failure?.class).toBe('infrastructure');
    expect(failure?.message).toMatch(/the kernel before crashed on its way down: .*softlockup/);
    expect(bootResult(events)).toBeNull();
  });

  it('there is no console: infrastructure that asks for one', async () => {
    await setUp();
    Object.assign(lab.machine, { console: null });
    fake.candidateBoots = ['silent-reset'];
    const { failure } = await runAttempt();
    expect(failure?.class).toBe('infrastructure');
    expect(failure?.trouble).toBeUndefined();
    expect(failure?.message).toContain('configure console:');
  });
});

describe('a boot that no kernel is to blame for', () => {
  /** Nothing is selected although the loader says so: an entry that it does not find looks like this. */
  function losesSelection(): () => void {
    const { boot } = lab.machine;
    Object.assign(lab.machine, { boot: { ...boot, selectOnce: () => Promise.resolve() } });
    return () => Object.assign(lab.machine, { boot });
  }
  /** The loader's mark is not on the console, such as one of GRUB that has none, or of systemd-boot. */
  function hidesMark(): void {
    const { boot } = lab.machine;
    Object.assign(lab.machine, { boot: { ...boot, readLine: () => null } });
  }

  it('is told as the machine’s own where nothing has ever come up, and where the loader’s mark was seen before', async () => {
    await setUp();
    const finds = losesSelection();
    const never = await runAttempt();
    expect(never.failure?.message).toContain('GRUB used up the selection and did not take the entry');
    expect(never.failure?.trouble).toBe('not-taken');
    finds();
    expect((await runAttempt()).failure).toBeNull();
    expect(records.read('v-switch').markedBy).toBe('GRUB');
    losesSelection();
    expect((await runAttempt()).failure?.trouble).toBe('not-taken');
  });

  it('is not where a candidate that prints nothing would leave the same', async () => {
    await setUp();
    hidesMark();
    expect((await runAttempt()).failure).toBeNull();
    expect(records.read('v-switch').markedBy).toBeNull();
    losesSelection();
    const { failure } = await runAttempt();
    expect(failure).toMatchObject({ class: 'infrastructure', stage: 'boot' });
    expect(failure?.message).toContain('used up the selection');
    expect(failure?.trouble).toBeUndefined();
  });
});

describe('a candidate that finds no root file system', () => {
  it('is the lab’s until a kernel of its configuration has come up there, and a finding then', async () => {
    await setUp();
    fake.candidateBoots = ['no-root'];
    const first = await runAttempt();
    expect(first.failure).toMatchObject({ class: 'infrastructure', stage: 'boot' });
    expect(first.failure?.message).toContain('may lack a driver that the disks of this machine need');
    expect(bootResult(first.events)).toBeNull();
    fake.candidateBoots = ['up'];
    expect((await runAttempt()).failure).toBeNull();
    fake.candidateBoots = ['no-root'];
    const third = await runAttempt();
    expect(third.failure).toMatchObject({ class: 'provisioning', stage: 'boot' });
    expect(bootResult(third.events)).toBe('fail');
  });
});

describe('a candidate that comes up to its login prompt and never answers on the network', () => {
  it('is the lab’s until a kernel of its configuration has come up there, and a finding then', async () => {
    await setUp();
    fake.candidateBoots = ['no-network'];
    const first = await runAttempt();
    expect(first.failure).toMatchObject({ class: 'infrastructure', stage: 'boot' });
    expect(first.failure?.message).toMatch(
      /reached user space \("\[.*systemd\[1\]: Inserted module autofs4"\) and never answered on the network: no answer within .*; last serial line: debian login:; no kernel of this configuration has come up on v-switch yet/,
    );
    expect(bootResult(first.events)).toBeNull();
    expect(first.restored).toBe(true);
    expect(fake.resets).toBe(1);
    fake.candidateBoots = ['up'];
    expect((await runAttempt()).failure).toBeNull();
    fake.candidateBoots = ['no-network'];
    const third = await runAttempt();
    expect(third.failure).toMatchObject({ class: 'provisioning', stage: 'boot' });
    expect(third.failure?.message).toMatch(/never answered on the network: no answer .*login:$/);
    expect(bootResult(third.events)).toBe('timeout');
    expect(third.restored).toBe(true);
  });

  it('is told apart from one that hangs in the kernel, a finding at once', async () => {
    await setUp();
    fake.candidateBoots = ['hang'];
    const { failure, events } = await runAttempt();
    expect(failure).toMatchObject({ class: 'provisioning', stage: 'boot' });
    expect(failure?.message).toContain('hung at boot');
    expect(bootResult(events)).toBe('timeout');
  });
});

describe('a selection that the loader does not clear', () => {
  it('is cleared on the running candidate before anything reboots, and the machine is restored', async () => {
    await setUp();
    fake.keepsSelection = true;
    const { failure, restored } = await runAttempt();
    expect(failure).toBeNull();
    expect(restored).toBe(true);
    expect(fake.running).toBe('default');
    expect(fake.nextEntry).toBeNull();
  });

  it.each([
    ['a loader that says so', false],
    ['a loader that prints nothing', true],
  ])(
    'ends before the machine’s time is up, with %s; the crash stands, and the machine goes into quarantine',
    async (_, isSilent) => {
      await setUp({ bootSeconds: 60 });
      fake.loaderIsSilent = isSilent;
      fake.keepsSelection = true;
      fake.candidateBoots = ['panic', 'panic', 'panic', 'panic', 'hang'];
      const { failure, restored, notes } = await runAttempt({ recoverMs: 500, firmwareMs: 200, restoreMs: 3_000 });
      expect(failure?.class).toBe('kernel-crash');
      expect(restored).toBe(false);
      expect(notes).toContain('GRUB takes the candidate at every boot');
    },
  );
});

describe('a machine that is booting', () => {
  it('may answer with another host key, from its initramfs, and is waited for', async () => {
    await setUp();
    const { ssh } = fake;
    const right = ssh.hostKeys;
    const seen: number[] = [];
    fake.answers.set('reboot', (channel) => {
      fake.answers.delete('reboot');
      channel.exit(0);
      void (async () => {
        fake.goDown();
        ssh.answersAlways = true;
        await ssh.changeHostKey();
        const before = ssh.connectionCount;
        await until('two refused connections', () => (ssh.connectionCount >= before + 2 ? true : undefined), {
          everyMs: 5,
          timeoutMs: 20_000,
        });
        seen.push(ssh.connectionCount - before);
        ssh.answersAlways = false;
        await ssh.changeHostKey(right);
        await fake.reboot();
      })();
    });
    const { failure, restored } = await runAttempt();
    expect(failure).toBeNull();
    expect(restored).toBe(true);
    expect(seen).toHaveLength(1);
  });
});

it('remembers how long the firmware took', async () => {
  await setUp();
  await runAttempt();
  expect(records.read('v-switch').firmwareMs).toEqual([expect.any(Number)]);
});

describe('a machine that', () => {
  it('lost a device under the candidate is not called restored', async () => {
    await setUp();
    fake.onCandidateUp = () => {
      fake.devices = fake.devices.slice(0, 1);
    };
    const { failure, restored, events } = await runAttempt();
    expect(failure).toBeNull();
    expect(restored).toBe(false);
    const reasons = events.flatMap((event) =>
      event.type === 'result' && event.result.test === 'restore' ? [event.result.reason] : [],
    );
    expect(reasons[0]).toMatch(/lost devices: 0000:04:00\.0 1234:11e8; switch it off and on/);
  });

  it('gets it back by a time without power, where its power can do that', async () => {
    await setUp();
    const whole = fake.devices;
    fake.onCandidateUp = () => {
      fake.devices = whole.slice(0, 1);
    };
    fake.cycle = async () => {
      fake.devices = whole;
      await fake.reboot();
    };
    Object.assign(lab.machine, { power: fake.power });
    const { restored, notes } = await runAttempt();
    expect(restored).toBe(true);
    expect(fake.resets).toBe(0);
    expect(notes).toContain('once more after a time without power');
  });

  const GPU = '0000:03:00.0 10de:2330';
  const WHOLE = ['memory 527992236', `${GPU} x16/16 16777216,0,137438953472,0,33554432,0`];
  it.each([
    ['a function that answers all ones', `${WHOLE[1]} silent`, `${GPU} (it answers all ones)`],
    ['lanes', `${GPU} x8/16 16777216,0,137438953472,0,33554432,0`, `${GPU} (its link has 8 of 16 lanes)`],
    ['a BAR', `${GPU} x16/16 16777216,0,0,0,33554432,0`, `${GPU} (BAR 2 has 0 B of 131072.0 MiB)`],
    ['a DIMM', 'memory 494437804', 'memory (471.5 of 503.5 GiB)'],
  ])('came back without %s gets a time without power, and is not called restored without it', async (_, line, loss) => {
    await setUp();
    fake.devices = WHOLE;
    const damaged = WHOLE.map((each) => (each.split(' ')[0] === line.split(' ')[0] ? line : each));
    fake.onCandidateUp = () => {
      fake.devices = damaged;
    };
    const bare = await runAttempt();
    expect(bare.restored).toBe(false);
    expect(bare.notes).toContain(`lost devices: ${loss}; switch it off and on`);
    fake.devices = WHOLE;
    const { resets } = fake;
    fake.cycle = async () => {
      fake.devices = WHOLE;
      await fake.reboot();
    };
    Object.assign(lab.machine, { power: fake.power });
    const { restored, notes } = await runAttempt();
    expect(restored).toBe(true);
    expect(fake.resets).toBe(resets);
    expect(notes).toContain(`lost devices: ${loss}`);
    expect(notes).toContain('once more after a time without power');
    expect(notes).toContain('restore: all 1 PCI functions of before are there');
  });

  it('has its devices a moment after its SSH server is not taken its power', async () => {
    await setUp();
    const whole = fake.devices;
    const late = [whole.slice(0, 1), whole.slice(0, 1)];
    fake.onCandidateUp = () => {
      fake.answers.set('hardware', (channel) => {
        channel.write((late.shift() ?? whole).join('\n'));
        channel.exit(0);
      });
    };
    const { restored, notes } = await runAttempt({ devicesMs: 20_000 });
    expect(restored).toBe(true);
    expect(late).toEqual([]);
    expect(notes).not.toContain('lost devices');
  });

  it.each([
    [
      'firmware uefi\nsecure-boot    1\nlockdown none [integrity] confidentiality',
      /Secure Boot is on.*configure signing:/,
    ],
    ['lockdown none [integrity] confidentiality', /locked down \(integrity\)/],
  ])('refuses unsigned kernels is named before anything is written: %s', async (policy, message) => {
    await setUp();
    fake.bootPolicy = policy;
    const { failure, restored } = await runAttempt();
    expect(failure).toMatchObject({ class: 'infrastructure', stage: 'prepare' });
    expect(failure?.message).toMatch(message);
    expect(restored).toBe(true);
    expect(fake.commands).not.toContain('grub-install');
  });

  it('was upgraded meanwhile names the package', async () => {
    await setUp();
    fake.onCandidateUp = () => {
      fake.defaultBuildId = 'ab'.repeat(20);
    };
    fake.answers.set('package-log', (channel) => {
      channel.write('2026-11-30 06:12:01 upgrade linux-image-amd64:amd64 6.1.158-1 6.1.162-1\n');
      channel.exit(0);
    });
    const { restored, events } = await runAttempt();
    expect(restored).toBe(false);
    const details = events.flatMap((event) =>
      event.type === 'kernel' && !event.sighting.proven ? [event.sighting.detail] : [],
    );
    expect(details[0]).toContain('2026-11-30 06:12:01 upgrade linux-image-amd64');
  });
});

it.each([
  ['/dev/vda1', true],
  ['/dev/nvme0n1p3', true],
  ['/dev/sdaa12', true],
  ['/dev/nvme0n1p3[/root]', false],
  ['/dev/mapper/rhel-root', false],
  ['rpool/ROOT/ubuntu', false],
  ['/dev/md127', false],
  ['overlay', false],
  ['', false],
])('root on %j needs no initramfs: %s', (source, plain) => {
  expect(whyNoPlainRoot(source) === null).toBe(plain);
});

describe('a module of the run', () => {
  const ID = 'c0'.repeat(20);
  const modules = (release: string): Buffer =>
    tarOf(
      tarFolder(`lib/modules/${release}`),
      tarEntry({ name: `lib/modules/${release}/peerlab_provider.ko` }, elfWithBuildId(ID)),
    );

  it('is the bundle’s by its build-id', async () => {
    await setUp({ modules });
    fake.loadedModules.set('peerlab_provider', ID);
    expect((await runAttempt()).failure).toBeNull();
  });

  it('that another one shadows is the lab’s fault, with the file that modprobe takes', async () => {
    await setUp({ modules });
    fake.loadedModules.set('peerlab_provider', 'dd'.repeat(20));
    fake.moduleFiles.set('peerlab_provider', '/lib/modules/x/updates/peerlab_provider.ko');
    const { failure, restored } = await runAttempt();
    expect(failure).toMatchObject({ class: 'infrastructure', stage: 'test' });
    expect(failure?.message).toMatch(
      /is not that of the bundle: its build-id is (dd){20}, not (c0){20}; modprobe takes \/lib\/modules\/x\/updates/,
    );
    expect(restored).toBe(true);
  });

  it('has a build-id that is read from any ELF file, and from nothing else', () => {
    const elf = elfWithBuildId(ID);
    expect(buildIdOfElf(elf)).toBe(ID);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: elf.length }),
        fc.integer({ min: 0, max: elf.length - 1 }),
        fc.nat(255),
        (length, at, value) => {
          const damaged = Buffer.from(elf.subarray(0, length));
          if (at < length) damaged[at] = value;
          expect(buildIdOfElf(damaged)).toMatch(/^(?:[0-9a-f]{2}){0,32}$/);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
