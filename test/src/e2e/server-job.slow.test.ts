import type { AttemptDetail, RunDetail } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BareSite, Ended } from './bare-site.js';
import { ENROL_MS, enrolServer, expectEnrolled, RUN_MS, SERVER, ServerRuns } from './enrolled-server.js';
import { deafenReset, unplug } from './server-hardware.js';
import { awaitEnd, runToTheEnd, wholeLog } from './started-farm.js';

const NO_SYSRQ = 'mount --bind /dev/null /proc/sysrq-trigger';

describe('a server, from the config of an agent that has no machine', () => {
  let site: BareSite;
  let enrolled: Ended;
  let runs: ServerRuns;

  beforeAll(async () => {
    ({ site, enrolled } = await enrolServer());
    runs = new ServerRuns(site);
  }, ENROL_MS);
  afterAll(() => site?.remove());

  it('is enrolled with every step, and its fallback proven', () => expectEnrolled(site, enrolled));

  describe('with the agent started on that config, and a kernel of its own configuration', () => {
    let run: RunDetail;
    let attempt: AttemptDetail;

    beforeAll(async () => {
      if (enrolled.code !== 0) throw new Error('the server was not enrolled');
      await runs.start();
      run = await runToTheEnd(site.client, JSON.stringify(await runs.spec()), RUN_MS);
      attempt = await runs.lastTestOf(run);
    }, RUN_MS);

    it('makes the initramfs of the candidate on the server, with the way to its root', async () => {
      expect(await runs.said(attempt, /^flash: initramfs-tools made \/boot\/\S+-initrd\.img/)).toHaveLength(1);
      const [chain = ''] = await runs.said(attempt, /^flash: root /);
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

    it('restores the server', () => runs.expectRestored(attempt));

    it(
      'waits for a BMC that does not answer, and calls a panic at boot a crash of the kernel',
      async () => {
        const bmc = await site.bmcProcess();
        const wish = (desired: 'maintenance' | 'active') =>
          site.client.call('setMachine', {
            params: { machine: SERVER },
            body: { desired, reason: 'its BMC does not answer' },
          });
        process.kill(bmc, 'SIGSTOP');
        const id = await runs.submit(await runs.spec('panic-at-boot'));
        await runs.firstAttempt(id, 'an attempt without a BMC', async () => true);
        // No more of them until the BMC is mended.
        await wish('maintenance');
        const silent = await runs.firstAttempt(id, 'its end', async ({ endedAt }) => endedAt !== null);
        expect(silent.failure).toMatchObject({ class: 'infrastructure', stage: 'prepare' });
        process.kill(bmc, 'SIGCONT');
        await site.until('the console', RUN_MS, async () => (site.hasConsole ? true : null));
        await wish('active');
        const ended = await awaitEnd(site.client, id, RUN_MS);
        expect(ended.verdict).toBe('crash');
        const last = await runs.lastTestOf(ended);
        expect(last.failure).toMatchObject({ class: 'kernel-crash', stage: 'boot' });
        expect(last.failure?.signature).toMatch(/^kernel panic: /);
        await runs.expectRestored(last);
      },
      RUN_MS,
    );

    it(
      'calls a root that the candidate does not find a failure of its boot',
      async () => {
        // As an administrator might hide a disk from LVM; the initramfs of the default kernel was made before.
        await site.shell(`sed -i 's/^devices {/&\\n\\tglobal_filter = [ "r|.*|" ]/' /etc/lvm/lvm.conf`);
        const ended = await runToTheEnd(site.client, JSON.stringify(await runs.spec()), RUN_MS);
        await site.shell(`sed -i '/^\\tglobal_filter = /d' /etc/lvm/lvm.conf`);
        const last = await runs.lastTestOf(ended);
        expect(last.failure).toMatchObject({
          class: 'provisioning',
          stage: 'boot',
          message: expect.stringMatching(/could not mount its file systems: .*server-root/),
        });
        expect(ended.verdict).toBe('fail');
        await runs.expectRestored(last);
      },
      RUN_MS,
    );

    /** A run of the same kernel with a suite of two minutes that is not the farm's. */
    const scriptSpec = async (name: string, script: string) => ({
      ...(await runs.spec()),
      suites: [{ name, script, limitSeconds: 120 }],
    });
    const runScript = async (name: string, script: string): Promise<RunDetail> =>
      runToTheEnd(site.client, JSON.stringify(await scriptSpec(name, script)), RUN_MS);

    /** The end of the first attempt, without another one after it. */
    async function endOf(run: string): Promise<AttemptDetail> {
      await site.client.call('setMachine', {
        params: { machine: SERVER },
        body: { desired: 'maintenance', reason: 'one attempt is enough' },
      });
      const first = await runs.firstAttempt(run, 'the end of the attempt', async ({ endedAt }) => endedAt !== null);
      await site.client.call('cancelRun', { params: { run } });
      await awaitEnd(site.client, run, RUN_MS);
      await site.client.call('setMachine', {
        params: { machine: SERVER },
        body: { desired: 'active', reason: 'it is to go on' },
      });
      return first;
    }

    it(
      'power that is lost while a kernel is installed leaves the default one as it was',
      async () => {
        const run = await runs.submit(await runs.spec());
        const uploaded = async (attempt: AttemptDetail): Promise<boolean> =>
          (await runs.said(attempt, /^flash: uploaded modules\.tar/)).length > 0;
        await runs.firstAttempt(run, 'the middle of flashing', uploaded);
        await site.power('off');
        const first = await endOf(run);
        expect(first.failure).toMatchObject({ class: 'infrastructure', stage: 'flash' });
        expect(await runs.said(first, /^flash: boot entry installed/)).toEqual([]);
        await runs.expectRestored(first);
      },
      RUN_MS,
    );

    it(
      'a selection that is lost on the way down voids the attempt: nothing is said of the kernel',
      async () => {
        // Another program that writes to GRUB's environment, such as the package of a kernel.
        await site.shell(
          `nohup sh -c 'until grub-editenv - list | grep -q "^next_entry=."; do sleep 0.1; done; grub-editenv - unset next_entry' >/dev/null 2>&1 &`,
        );
        const run = await runs.submit(await runs.spec());
        await runs.firstAttempt(run, 'an attempt', async () => true);
        const first = await endOf(run);
        expect(first.failure).toMatchObject({
          class: 'infrastructure',
          stage: 'boot',
          message: expect.stringMatching(
            /came back with its default kernel, and the console shows no sign of the candidate/,
          ),
        });
        // Its tests are named, as what was not reached, and nothing is said of them.
        const verdicts = first.results.filter(({ suite }) => suite !== 'farm').map(({ verdict }) => verdict);
        expect([...new Set(verdicts)]).toEqual(['infra']);
        await runs.expectRestored(first);
      },
      RUN_MS,
    );

    it(
      'a hang before user space is ended by a reset of its BMC',
      async () => {
        const spec = { ...(await runs.spec('hang-at-boot')), timeouts: { bootSeconds: 300 } };
        const ended = await runToTheEnd(site.client, JSON.stringify(spec), RUN_MS);
        const last = await runs.lastTestOf(ended);
        expect(last.failure).toMatchObject({
          class: 'provisioning',
          stage: 'boot',
          // Not the mutant's own line: a thread of the CPU that hangs would print it.
          message: expect.stringMatching(/hung at boot: no answer within \d+ s; last serial line: /),
        });
        expect(await runs.said(last, /^power: resetting s-uefi$/)).toHaveLength(1);
        await runs.expectRestored(last);
      },
      RUN_MS,
    );

    it(
      'an oops in a test is a crash of that test, and the others still run',
      async () => {
        const ended = await runToTheEnd(site.client, JSON.stringify(await runs.spec('oops-in-test')), RUN_MS);
        expect(ended.verdict).toBe('crash');
        const last = await runs.lastTestOf(ended);
        const crashed = last.results.filter(({ verdict }) => verdict === 'crash');
        // Every test that shows the zero page to a client.
        expect(crashed.map(({ test }) => test)).toContain('F40.mixed_range');
        for (const { signature } of crashed) expect(signature).toMatch(/ in hmm_vma_walk_pmd/);
        expect(last.results.filter(({ verdict }) => verdict === 'pass').length).toBeGreaterThan(50);
        // The firmware kept the first of them, too, and systemd moved it out of there before anybody could log in.
        const kept = last.files.filter(({ suite, name }) => suite === 'farm' && /^pstore-\d+-dmesg\.txt$/.test(name));
        expect(kept).not.toEqual([]);
        const texts = kept.map(({ sha256 }) => site.client.text('getArtifact', { params: { sha256 } }));
        expect((await Promise.all(texts)).join('')).toContain('hmm_vma_walk_pmd');
        expect(await site.shell('ls -A /sys/fs/pstore /var/lib/systemd/pstore')).not.toMatch(/\d{5}/);
        await runs.expectRestored(last);
      },
      RUN_MS,
    );

    it.each([
      ['left by sysrq', [], ['a reboot by sysrq'], null],
      ['reset by its BMC', [NO_SYSRQ], ['a reboot by sysrq', 'a reset'], null],
      [
        'taken its power where the BMC accepts a reset and does nothing',
        [NO_SYSRQ],
        ['a reboot by sysrq', 'a reset', 'a time without power'],
        deafenReset,
      ],
    ])(
      'a kernel under test that does not reboot is %s',
      async (_, alsoBroken, rungs, alsoFaulty) => {
        const mend = await alsoFaulty?.(site);
        // What the order to reboot calls does nothing, and says that it did.
        const script = ['set -e', 'mount --bind /bin/true "$(readlink -f /bin/systemctl)"', ...alsoBroken].join('\n');
        const ended = await runScript('deaf', script);
        await mend?.();
        expect(ended.verdict).toBe('pass');
        const last = await runs.lastTestOf(ended);
        const climbed = await runs.said(last, /^restore: a (?:reboot by sysrq|reset|time without power), /);
        expect(climbed.map((line) => /^restore: ([a-z ]+),/.exec(line)?.[1])).toEqual(rungs);
        expect(climbed.at(-1)).toMatch(/ \S+ answers after \d+/);
        await runs.expectRestored(last);
      },
      RUN_MS,
    );

    it(
      'a device that no reset brings back is there again after a time without power',
      async () => {
        const device = '/sys/bus/pci/devices/$P2P_CLIENT';
        const script = `test -e ${device} && echo it is there; while test -e ${device}; do sleep 0.2; done; echo it is gone`;
        const run = await runs.submit(JSON.stringify(await scriptSpec('unplugged', script)));
        const isThere = async ({ id }: AttemptDetail): Promise<boolean> =>
          (await wholeLog(site.client, id, 'test')).some(({ text }) => text.includes('it is there'));
        await runs.firstAttempt(run, 'the script', isThere);
        await unplug(site, 'edu');
        const last = await runs.lastTestOf(await awaitEnd(site.client, run, RUN_MS));
        expect(last.results.find(({ suite }) => suite === 'unplugged')).toMatchObject({ verdict: 'pass' });
        expect(
          await runs.said(last, /^restore: s-uefi lost devices: .*; once more after a time without power$/),
        ).toHaveLength(1);
        expect(await runs.said(last, /^restore: a time without power, \S+ answers after/)).toHaveLength(1);
        await runs.expectRestored(last);
      },
      RUN_MS,
    );

    it.each([
      [
        'waits in the kernel for ever',
        'fsfreeze --freeze /; echo never >/var/tmp/never',
        /^ran past its limit of 120 s; the machine was reset$/,
      ],
      [
        'takes the network away',
        `ip link set "$(ip -o route get 10.0.2.2 | sed 's/.* dev \\([^ ]*\\) .*/\\1/')" down; sleep 600`,
        /^the machine did not answer any more, and was reset$/,
      ],
    ])(
      'a test that %s is timed out, and the server reset',
      async (_, script, reason) => {
        const last = await runs.lastTestOf(await runScript('stuck', script));
        expect(last.failure).toBeNull();
        expect(last.results.filter(({ suite }) => suite === 'stuck')).toMatchObject([
          { status: 'timeout', verdict: 'fail', reason: expect.stringMatching(reason) },
        ]);
        expect(await runs.said(last, /^power: resetting s-uefi$/)).toHaveLength(1);
        await runs.expectRestored(last);
      },
      RUN_MS,
    );

    it(
      'a selection that a test made and locked is not booted, and the next attempt says what is locked',
      async () => {
        const grubenv = '/boot/grub/grubenv';
        const script = `set -e; grub-editenv ${grubenv} set next_entry=peerlab-candidate; chattr +i ${grubenv}`;
        const ended = await runScript('locks', script);
        expect(ended.verdict).toBe('pass');
        const last = await runs.lastTestOf(ended);
        expect(await runs.said(last, /^restore: the selection could not be cleared: .*grubenv/)).toHaveLength(1);
        await runs.expectRestored(last);
        const next = await runs.submit(await runs.spec());
        await runs.firstAttempt(next, 'an attempt', async () => true);
        const first = await endOf(next);
        await site.shell(`chattr -i ${grubenv}`);
        expect(first.failure).toMatchObject({
          class: 'infrastructure',
          stage: 'prepare',
          message: expect.stringMatching(/grubenv cannot be written/),
        });
        expect(first.kernels.map(({ phase }) => phase)).not.toContain('candidate');
        expect(first.restored).toBe(true);
      },
      RUN_MS,
    );

    it(
      'a kernel without the driver of its network card is refused before it boots, with the name of the driver',
      async () => {
        const { builds, ...rest } = await runs.spec();
        const spec = {
          ...rest,
          builds: builds.map((build) => ({ ...build, name: 'no-network', fragment: 'CONFIG_E1000E=n' })),
        };
        const ended = await runToTheEnd(site.client, JSON.stringify(spec), RUN_MS);
        const last = await runs.lastTestOf(ended);
        // The agent reaches the server over this card alone; were the kernel booted, it would come up and never answer.
        expect(last.failure).toMatchObject({
          class: 'request',
          stage: 'flash',
          message: expect.stringMatching(/whose connection to the agent goes over \S+: it has not e1000e, for 0000:/),
        });
        expect(await runs.said(last, /^flash: boot entry installed/)).toEqual([]);
        expect(last.kernels.map(({ phase }) => phase)).not.toContain('candidate');
        expect(last.restored).toBe(true);
      },
      RUN_MS,
    );
  });
});
