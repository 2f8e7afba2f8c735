import type { AttemptDetail } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BareSite } from './bare-site.js';
import { ENROL_MS, RUN_MS, SERVER, ServerRuns } from './enrolled-server.js';
import { awaitEnd, runToTheEnd } from './started-farm.js';

/** What can go wrong on a server beside what `server-job` tries: it comes back by itself each time. */
describe('a server on which things go wrong', () => {
  let site: BareSite;
  let runs: ServerRuns;

  beforeAll(async () => {
    site = await BareSite.start(SERVER);
    const { code, stdout, stderr } = await site.enrol('--bmc', SERVER, '--console', 'sol', '--labels', 'set=server');
    expect(code, stdout + stderr).toBe(0);
    runs = new ServerRuns(site);
    await runs.start();
  }, ENROL_MS);
  afterAll(() => site?.remove());

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
      expect(first.results.filter(({ suite }) => suite !== 'farm')).toEqual([]);
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
        message: expect.stringMatching(/hung at boot: .*peerlab mutant: hang before user space/),
      });
      expect(await runs.said(last, /^power: resetting s-uefi$/)).toHaveLength(1);
      await runs.expectRestored(last);
    },
    RUN_MS,
  );

  it(
    'a kernel that comes up without its network card is ended by a reset, and what it said last is kept',
    async () => {
      const { builds, ...rest } = await runs.spec();
      const spec = {
        ...rest,
        builds: builds.map((build) => ({ ...build, name: 'no-network', fragment: 'CONFIG_E1000E=n' })),
        timeouts: { bootSeconds: 300 },
      };
      const ended = await runToTheEnd(site.client, JSON.stringify(spec), RUN_MS);
      const last = await runs.lastTestOf(ended);
      expect(last.failure).toMatchObject({
        class: 'provisioning',
        stage: 'boot',
        message: expect.stringMatching(/hung at boot: no answer within .*; last serial line: .*login:/),
      });
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
      expect(crashed.map(({ test }) => test)).toEqual(['F40.mixed_range']);
      expect(crashed[0]?.signature).toMatch(/ in hmm_|BUG/);
      expect(last.results.filter(({ verdict }) => verdict === 'pass').length).toBeGreaterThan(50);
      await runs.expectRestored(last);
    },
    RUN_MS,
  );
});
