import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AttemptDetail, RunDetail, RunSpec } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { BareSite, type Ended } from './bare-site.js';
import { attemptsOf, awaitEnd, runToTheEnd, wholeLog } from './started-farm.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const SERVER = 's-uefi';
/** A disk image, and four boots of a distribution's own kernel under emulation beside other work. */
const ENROL_MS = 60 * 60_000;
/** A kernel of a distribution's configuration, and a test on the server. */
const RUN_MS = 120 * 60_000;

describe('a server, from the config of an agent that has no machine', () => {
  let site: BareSite;
  let enrolled: Ended;

  beforeAll(async () => {
    site = await BareSite.start(SERVER);
    const acting = ['--act', '--confirm', SERVER];
    enrolled = await site.enrol('--bmc', SERVER, '--console', 'sol', '--labels', 'set=server', ...acting);
  }, ENROL_MS);
  afterAll(() => site?.remove());

  const spec = async (): Promise<RunSpec> =>
    parse(await readFile(join(root, 'infra/runs/servers.yaml'), 'utf8')) as RunSpec;
  const testsOf = async (run: RunDetail): Promise<AttemptDetail[]> =>
    (await attemptsOf(site.client, run)).filter(({ kind }) => kind === 'test');
  const said = async (attempt: AttemptDetail, pattern: RegExp): Promise<string[]> =>
    (await wholeLog(site.client, attempt.id, 'agent')).map(({ text }) => text).filter((text) => pattern.test(text));
  /** The server runs its own kernel, with every device, and nothing else lies on it. */
  async function expectRestored(attempt: AttemptDetail): Promise<void> {
    expect(attempt.restored).toBe(true);
    const of = (phase: string) => attempt.kernels.find((kernel) => kernel.phase === phase);
    expect(of('default-after')?.buildId).toBe(of('default-before')?.buildId);
    expect(of('default-after')?.bootId).not.toBe(of('default-before')?.bootId);
    expect(await said(attempt, /^restore: all \d+ PCI functions of before are there$/)).not.toEqual([]);
    expect(await said(attempt, /^restore: fingerprint [0-9a-f]{12}… as pinned/)).toHaveLength(1);
    const left = await site.shell('ls /boot /lib/modules; cat /boot/grub/custom.cfg; grub-editenv - list; true');
    expect(left).not.toMatch(/peerlab-[0-9a-f]{8}|next_entry=./);
  }

  it('is enrolled with every step, and its fallback proven', async () => {
    expect(enrolled.code, enrolled.stdout + enrolled.stderr).toBe(0);
    expect(enrolled.stdout).not.toMatch(/^. (?:fail|warn) /m);
    expect(enrolled.stdout).toMatch(/pass root .* ext4 on \/dev\/mapper\/server-root; initramfs-tools makes/);
    expect(enrolled.stdout).toMatch(/pass power-cycle .* after a power cycle, with all its devices/);
    expect(enrolled.stdout).toMatch(/pass fallback .* after a crash the default kernel came back by itself/);
    const config = parse(await readFile(site.configFile, 'utf8')) as { machines: unknown };
    expect(config.machines).toMatchObject([
      {
        name: SERVER,
        power: { driver: 'ipmi', bmc: SERVER },
        console: { driver: 'sol', bmc: SERVER },
        initramfs: { driver: 'initramfs-tools' },
      },
    ]);
  });

  describe('with the agent started on that config', () => {
    let run: RunDetail;
    let attempt: AttemptDetail;

    beforeAll(async () => {
      if (enrolled.code !== 0) throw new Error('the server was not enrolled');
      await site.startAgent();
      run = await runToTheEnd(site.client, JSON.stringify(await spec()), RUN_MS);
      const last = (await testsOf(run)).at(-1);
      if (last === undefined) throw new Error(`no server was tested: ${JSON.stringify(run.jobViews, null, 1)}`);
      attempt = last;
    }, RUN_MS);

    it('makes the initramfs of the candidate on the server, with the way to its root', async () => {
      expect(await said(attempt, /^flash: initramfs-tools made \/boot\/\S+-initrd\.img/)).toHaveLength(1);
      const [chain = ''] = await said(attempt, /^flash: root /);
      expect(chain).toMatch(
        /^flash: root \/dev\/mapper\/server-root \(ext4\): built in .*; in the initramfs .*\blvm\b/,
      );
      expect(chain).toMatch(/\bnvme\b/);
      expect(chain).toMatch(/\bdm_mod\b/);
    });

    it('proves the candidate by build-id, nonce and command line, and hears it by serial over LAN', async () => {
      const candidate = attempt.kernels.find(({ phase }) => phase === 'candidate');
      expect(candidate).toMatchObject({ proven: true, release: expect.stringMatching(/-peerlab-[0-9a-f]{8}$/) });
      expect(candidate?.commandLine).toContain(`peerlab.nonce=${candidate?.nonce ?? 'none'}`);
      expect(candidate?.commandLine).toMatch(/ root=\/dev\/mapper\/server-root /);
      const serial = await wholeLog(site.client, attempt.id, 'serial');
      expect(serial.some(({ text }) => text.includes(`Linux version ${candidate?.release ?? '?'} `))).toBe(true);
    });

    it('passes the suite, and proves the way that the data took', () => {
      const bad = attempt.results.filter(({ verdict }) => !['pass', 'skip'].includes(verdict));
      expect(bad.map(({ suite, test, verdict, reason }) => `${suite} ${test}: ${verdict} ${reason ?? ''}`)).toEqual([]);
      expect(attempt.results.filter(({ verdict }) => verdict === 'pass').length).toBeGreaterThan(50);
      const peer = attempt.results.filter(({ verdict, proof }) => verdict === 'pass' && proof?.expected === 'peer');
      expect(peer.length).toBeGreaterThanOrEqual(3);
      for (const { proof, test } of peer) expect(proof?.taken, test).toBe('BUS_ADDR');
      expect(run.verdict).toBe('pass');
    });

    it('restores the server', () => expectRestored(attempt));

    it(
      'waits for a BMC that does not answer, and calls a panic at boot a crash of the kernel',
      async () => {
        const { builds, ...rest } = await spec();
        const panics = {
          ...rest,
          builds: [{ ...builds[0], name: 'panics', series: ['bundled', { mutant: 'panic-at-boot' }] }],
        };
        const bmc = await site.bmcProcess();
        const wish = (desired: 'maintenance' | 'active') =>
          site.client.call('setMachine', {
            params: { machine: SERVER },
            body: { desired, reason: 'its BMC does not answer' },
          });
        process.kill(bmc, 'SIGSTOP');
        const { id } = await site.client.call('submitRun', { body: { yaml: JSON.stringify(panics) } });
        const firstAttempt = async (): Promise<AttemptDetail | null> =>
          (await testsOf(await site.client.call('getRun', { params: { run: id } })))[0] ?? null;
        await site.until('an attempt without a BMC', RUN_MS, firstAttempt);
        // No more of them until the BMC is mended.
        await wish('maintenance');
        const silent = await site.until('its end', RUN_MS, async () => {
          const attempt = await firstAttempt();
          return attempt?.endedAt == null ? null : attempt;
        });
        expect(silent.failure).toMatchObject({ class: 'infrastructure', stage: 'prepare' });
        process.kill(bmc, 'SIGCONT');
        await site.until('the console', RUN_MS, async () => (site.hasConsole ? true : null));
        await wish('active');
        const ended = await awaitEnd(site.client, id, RUN_MS);
        expect(ended.verdict).toBe('crash');
        const last = (await testsOf(ended)).at(-1);
        if (last === undefined) throw new Error('no attempt');
        expect(last.failure).toMatchObject({ class: 'kernel-crash', stage: 'boot' });
        expect(last.failure?.signature).toMatch(/^kernel panic: /);
        await expectRestored(last);
      },
      RUN_MS,
    );

    it(
      'calls a root that the candidate does not find a failure of its boot',
      async () => {
        // As an administrator might hide a disk from LVM; the initramfs of the default kernel was made before.
        await site.shell(`sed -i 's/^devices {/&\\n\\tglobal_filter = [ "r|.*|" ]/' /etc/lvm/lvm.conf`);
        const ended = await runToTheEnd(site.client, JSON.stringify(await spec()), RUN_MS);
        const last = (await testsOf(ended)).at(-1);
        if (last === undefined) throw new Error('no attempt');
        expect(last.failure).toMatchObject({
          class: 'provisioning',
          stage: 'boot',
          message: expect.stringMatching(/could not mount its file systems: .*server-root/),
        });
        expect(ended.verdict).toBe('fail');
        await expectRestored(last);
      },
      RUN_MS,
    );
  });
});
