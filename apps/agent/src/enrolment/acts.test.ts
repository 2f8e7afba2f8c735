import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_PACE, type FakeLab, startFakeLab } from '../fake/fake-lab.js';
import type { FakeMachine } from '../fake/fake-machine.js';
import { GOOD_FACTS } from '../fake/good-facts.js';
import { MachineConnection } from '../job/machine-connection.js';
import { powerWays } from '../machine/power-ways.js';
import type { Power } from '../machine/protocols.js';
import { openSigner, type SigningSettings } from '../signing/index.js';
import { toyImage } from '../signing/toy-image.js';
import { makeSiteKey } from '../testing/site-key.js';
import { proveConsole, proveFallback, provePower } from './acts.js';

let folder: string;
let lab: FakeLab;
const told: string[] = [];
/** What boots took, in milliseconds. */
const boots: number[] = [];
/** Of one test. */
let signal: AbortSignal;

beforeEach(async () => {
  signal = AbortSignal.timeout(60_000);
  folder = mkdtempSync(join(tmpdir(), 'peerlab-acts-'));
  lab = await startFakeLab(folder);
  lab.fake.facts = GOOD_FACTS;
  told.length = 0;
  boots.length = 0;
});
afterEach(async () => {
  await lab.fake.stop();
  await rm(folder, { recursive: true });
});

describe('what is proven by acting', () => {
  const acting = (pace = FAKE_PACE): Parameters<typeof proveConsole>[0] => ({
    machine: lab.machine,
    connection: new MachineConnection(lab.machine, pace),
    pace,
    signal,
    note: (text) => void told.push(text),
    onBoot: (tookMs) => void boots.push(tookMs),
  });

  it('is the console, by a line of the kernel', async () => {
    expect(await proveConsole(acting())).toMatchObject({ verdict: 'pass' });
  });

  it('is the power, by another boot with all devices', async () => {
    const [only = null] = powerWays(lab.machine);
    expect(await provePower(acting(), only)).toMatchObject({ name: 'power-cycle', verdict: 'pass' });
    lab.fake.onEvent = ({ type }) => {
      if (type === 'down') lab.fake.devices = lab.fake.devices.slice(1);
    };
    expect(await provePower(acting(), only)).toMatchObject({
      verdict: 'fail',
      detail: expect.stringContaining('0000:03:00.0 1af4:1110'),
    });
    expect(boots).toHaveLength(2);
  });

  it('is each way to the power, by a check of its own', async () => {
    const outlet = { ...lab.fake.power, name: 'the outlet', reset: () => Promise.reject(new Error('no such outlet')) };
    Object.assign(lab.machine, { otherPower: [outlet] });
    const [first = null, second = null] = powerWays(lab.machine);
    expect(await provePower(acting(), first)).toMatchObject({ name: 'power-cycle-1', verdict: 'pass' });
    expect(await provePower(acting(), second)).toMatchObject({
      name: 'power-cycle-2',
      verdict: 'fail',
      detail: 'a reset by power 2 (the outlet): no such outlet',
    });
  });

  it('is no power whose driver never ends', async () => {
    Object.assign(lab.machine, { power: { ...lab.fake.power, cycle: () => new Promise(() => undefined) } });
    const [only = null] = powerWays(lab.machine);
    expect(await provePower(acting({ ...FAKE_PACE, powerMs: 200 }), only)).toMatchObject({
      verdict: 'fail',
      detail: expect.stringMatching(/^a power cycle: what the power driver was told .* within 200 ms$/),
    });
  });

  it('is the fallback, by a crash', async () => {
    expect(await proveFallback(acting())).toMatchObject({ name: 'fallback', verdict: 'pass' });
    expect(lab.fake.running).toBe('default');
    expect(lab.fake.customConfig).toBe('');
    expect(lab.fake.commands).toContain('crash');
    // The one that was ordered; a crash may take its time to save a dump.
    expect(boots).toHaveLength(1);
  });

  it('clears what the firmware keeps of that crash, and nothing that it kept before', async () => {
    lab.fake.pstore.set('dmesg-efi_pstore-170000000001001', 'of an older crash');
    lab.fake.onCandidateUp = ({ pstore }) => {
      pstore.set('dmesg-efi_pstore-180000000001001', 'Panic#1 Part1');
      pstore.set('systemd/1800000000/001/dmesg-efi_pstore-180000000002001', 'Panic#1 Part2');
      pstore.set('systemd/1800000000/001/dmesg.txt', 'Panic#1 Part2');
    };
    expect(await proveFallback(acting())).toMatchObject({ verdict: 'pass' });
    expect([...lab.fake.pstore.keys()]).toEqual(['dmesg-efi_pstore-170000000001001']);
  });

  it('says where kdump keeps a dump of that crash, which is for the person to remove', async () => {
    lab.fake.dumps.set('202611010101/dmesg.202611010101', 'of an older crash');
    lab.fake.onCandidateUp = ({ dumps }) => void dumps.set('202612010101/dmesg.202612010101', 'Panic');
    expect(await proveFallback(acting())).toMatchObject({ verdict: 'pass' });
    expect(told.filter((line) => line.includes('/var/crash'))).toEqual([
      'kdump saved the crash on order in /var/crash/202612010101 of v-switch; it may be removed there',
    ]);
  });

  it('leaves all of it where what it kept before could not be read', async () => {
    lab.fake.answers.set('pstore-list', (channel) => channel.exit(1));
    lab.fake.pstore.set('dmesg-efi_pstore-170000000001001', 'of an older crash');
    expect(await proveFallback(acting())).toMatchObject({ verdict: 'pass' });
    expect(lab.fake.pstore.size).toBe(1);
  });

  describe('with Secure Boot, is the signature of the site, too', () => {
    let keys: string;
    let site: SigningSettings;
    let vendor: SigningSettings;
    beforeAll(() => {
      keys = mkdtempSync(join(tmpdir(), 'peerlab-enrol-keys-'));
      site = makeSiteKey(keys);
      vendor = makeSiteKey(keys, 'vendor');
    });
    afterAll(() => rm(keys, { recursive: true }));

    /** The machine's kernel is signed by its vendor, and the site's certificate is enrolled. */
    function secure(): Buffer[] {
      const signer = openSigner(site);
      Object.assign(lab.machine, { signer });
      lab.fake.bootPolicy = `firmware uefi\nsecure-boot 1\ndb ${signer.certificate.toString('base64')}`;
      const kernel = openSigner(vendor).sign(toyImage([512, 4096], 0));
      lab.fake.answers.set('read-image', (channel) => {
        channel.write(kernel.toString('base64'));
        channel.exit(0);
      });
      const tried: Buffer[] = [];
      lab.fake.trusts = (image) => {
        tried.push(image);
        return signer.sign(toyImage([512, 4096], 0)).equals(image);
      };
      return tried;
    }

    it('in place of the vendor’s', async () => {
      const tried = secure();
      expect(await proveFallback(acting())).toMatchObject({
        verdict: 'pass',
        detail: expect.stringContaining(`the entry booted once, signed with ${site.certificateFile}`),
      });
      expect(tried).toHaveLength(1);
      expect(lab.fake.commands).toContain('remove-image');
    });

    it('and fails with what the loader said when it is refused', async () => {
      secure();
      lab.fake.trusts = () => false;
      expect(await proveFallback(acting())).toMatchObject({
        verdict: 'fail',
        detail: 'GRUB refused the image for its signature: bad shim signature',
      });
      expect(lab.fake.customConfig).toBe('');
    });
  });

  it('fails where the loader takes the default, and says whose fault it is', async () => {
    lab.fake.ignoresSelection = true;
    const found = await proveFallback(acting());
    expect(found).toMatchObject({
      verdict: 'fail',
      detail: expect.stringContaining('GRUB reads it from another place'),
    });
    expect(lab.fake.customConfig).toBe('');
  });

  it('fails where the loader takes the candidate again after a crash, and leaves the default running', async () => {
    lab.fake.keepsSelection = true;
    expect(await proveFallback(acting())).toMatchObject({
      verdict: 'fail',
      detail: expect.stringContaining('booted the candidate again'),
    });
    expect(lab.fake.running).toBe('default');
  });

  it('fails where nothing answers after the one-shot boot, and brings the machine back', async () => {
    lab.fake.candidateBoots = ['hang'];
    expect(await proveFallback(acting())).toMatchObject({
      verdict: 'fail',
      detail: expect.stringMatching(/did not answer: .*; it came back: a reset, \S+ answers after/),
    });
    expect([lab.fake.resets, lab.fake.running, lab.fake.customConfig]).toEqual([1, 'default', '']);
  });

  describe('a machine that falls silent', () => {
    const setPower = (reset: Power['reset'], cycle: Power['cycle']): void => {
      lab.fake.answers.set('crash', () => lab.fake.goDown());
      Object.assign(lab.machine, { power: { ...lab.fake.power, reset, cycle } });
    };

    it('is brought back by a time without power where a reset does not end', async () => {
      const { power } = lab.fake;
      setPower(
        () => new Promise(() => undefined),
        () => power.reset(),
      );
      expect(await proveFallback(acting({ ...FAKE_PACE, powerMs: 200 }))).toMatchObject({
        verdict: 'fail',
        detail: expect.stringMatching(
          /it came back: a reset, which failed \(.* within 200 ms.*\) after .*; a time without power, \S+ answers after/,
        ),
      });
      expect([lab.fake.running, lab.fake.customConfig]).toEqual(['default', '']);
    });

    it('is left to a person where every order fails, with each of them', async () => {
      const fails = (): Promise<never> => Promise.reject(new Error('no route to the BMC'));
      setPower(fails, fails);
      const limits = { ...FAKE_PACE, firmwareMs: 100, recoverMs: 400, reachMs: 400 };
      expect(await proveFallback(acting(limits))).toMatchObject({
        verdict: 'fail',
        detail: expect.stringMatching(
          /nothing brought it back: a reset, which failed \(no route to the BMC\) after .*; a time without power, which failed .*reset it by hand/,
        ),
      });
    });
  });

  it.each<[string, (fake: FakeMachine) => void, number, RegExp]>([
    [
      'a kernel without SysRq',
      ({ answers: to }) => to.set('crash', (channel) => channel.exit(3)),
      0,
      /told to crash, its kernel did not: it has no .*sysrq-trigger.*; boot a default kernel with CONFIG_MAGIC_SYSRQ/,
    ],
    [
      'a kernel that takes the order and lives on',
      ({ answers: to }) => to.set('crash', (channel) => channel.exit(0)),
      0,
      /its kernel did not: .* the same kernel answers, boot_id [0-9a-f-]{36}/,
    ],
    [
      'a panic that does not reboot',
      (fake) =>
        fake.answers.set('crash', () => {
          fake.console('[  30.0] Kernel panic - not syncing: sysrq triggered crash');
          fake.goDown();
        }),
      1,
      /the kernel died \(on its console: .*sysrq triggered crash.*\) and did not reboot; it came back: a reset, .*reboot=acpi/,
    ],
    [
      'a machine that falls silent',
      (fake) => fake.answers.set('crash', () => fake.goDown()),
      1,
      /nothing on its console says that it died: it may hang; it came back: a reset, /,
    ],
  ])('fails, and says which, with %s', async (_, prepare, resets, message) => {
    prepare(lab.fake);
    const found = await proveFallback(acting());
    expect(found).toMatchObject({ name: 'fallback', verdict: 'fail', detail: expect.stringMatching(message) });
    expect(lab.fake.resets).toBe(resets);
    expect(lab.fake.running).toBe('default');
    expect(lab.fake.customConfig).toBe('');
  });
});
