import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AttemptDetail, RunDetail, RunSpec } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { BareSite, type Ended } from './bare-site.js';
import { ENROL_MS, type Expected, enrolOn, expectEnrolled, RUN_MS, ServerRuns } from './enrolled-server.js';
import { runToTheEnd, wholeLog } from './started-farm.js';
import { giveDrivers } from './toy-driver.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

const DRACUT: Expected = {
  name: 's-dracut',
  set: 'server-dracut',
  root: /pass root .* btrfs on \/dev\/nvme0n1p4\[\/root\]; dracut makes/,
  drivers: { boot: { driver: 'systemd-boot' }, initramfs: { driver: 'dracut' } },
};
/** What a candidate could leave behind: files on the boot partitions, modules, variables, and records of its crash, which systemd moves. */
const WHAT_LIES_THERE = `find /boot /efi /var/lib/systemd/pstore -type f ! -name random-seed | sort | xargs sha256sum
# A variable that went by another way than efivarfs (a record, by pstore) is still listed there and reads as empty; one that is there
# has its attributes at least.
ls /lib/modules; for each in /sys/firmware/efi/efivars/*; do [ "$(head -c 1 "$each" | wc -c)" = 0 ] || echo "$each"; done`;

describe('a server with systemd-boot, dracut and a root on btrfs, from the config of an agent that has no machine', () => {
  let site: BareSite;
  let before: string;
  let enrolled: Ended;

  beforeAll(async () => {
    site = await BareSite.start(DRACUT.name);
    before = await site.shell(WHAT_LIES_THERE);
    enrolled = await enrolOn(site, DRACUT);
  }, ENROL_MS);
  afterAll(() => site?.remove());

  it('passes every check, comes back by itself after a candidate that crashes, and stands in the config', async () => {
    await expectEnrolled(site, enrolled, DRACUT);
    expect(enrolled.stdout).toMatch(/pass boot-loader .*systemd-boot can boot another kernel once/);
  });

  it('has nothing of the candidate left on it', async () => {
    expect(await site.shell(WHAT_LIES_THERE)).toBe(before);
  });

  describe('with the agent started on that config', () => {
    let runs: ServerRuns;
    let run: RunDetail;
    let attempt: AttemptDetail;
    beforeAll(async () => {
      if (enrolled.code !== 0) throw new Error('the server was not enrolled');
      await giveDrivers(site.folder, site.configFile);
      const made = await site.configureKernel(DRACUT.name);
      expect(made.code, made.stderr).toBe(0);
      await site.startAgent();
      runs = new ServerRuns(site);
      const spec = parse(await readFile(join(root, 'infra/runs/servers.yaml'), 'utf8')) as RunSpec;
      const builds = spec.builds.map((build) => ({ ...build, config: 'machine' }));
      const own = { ...spec, builds, machines: { names: [DRACUT.name] } };
      run = await runToTheEnd(site.client, JSON.stringify(own), RUN_MS);
      attempt = await runs.lastTestOf(run);
    }, RUN_MS);

    it('builds a kernel of the configuration that was made of the server, for a run that asks for each machine’s own', async () => {
      const [job] = run.jobViews.filter(({ kind }) => kind === 'build');
      const build = await site.client.call('getBuild', { params: { build: job?.buildId ?? '' } });
      const { configs } = await site.client.call('getCatalogue', {});
      const own = configs.find(({ machine }) => machine === DRACUT.name);
      expect(own?.builtAs).toMatch(/^whole-[0-9a-f]{16}$/);
      expect(build.manifest?.config.name).toBe(own?.builtAs);
    });

    it('makes the initramfs of the candidate with dracut, with the way to its subvolume', async () => {
      expect(await runs.said(attempt, /^flash: dracut made \/boot\/\S+/)).toHaveLength(1);
      const [chain = ''] = await runs.said(attempt, /^flash: root /);
      expect(chain).toMatch(/^flash: root \/dev\/nvme0n1p4\S* \(btrfs\): .*in the initramfs .*\bbtrfs\b/);
    });

    it('boots the candidate once by systemd-boot, proves it, and passes the suite', async () => {
      const candidate = attempt.kernels.find(({ phase }) => phase === 'candidate');
      expect(candidate).toMatchObject({ proven: true, release: expect.stringMatching(/-peerlab-[0-9a-f]{8}$/) });
      const bad = attempt.results.filter(({ verdict }) => !['pass', 'skip'].includes(verdict));
      expect(bad.map(({ suite, test }) => `${suite} ${test}`)).toEqual(['farm driver broken']);
      expect(attempt.results.filter(({ verdict }) => verdict === 'pass').length).toBeGreaterThan(50);
    });

    it('loads a driver from outside of the tree that was built with the kernel, and says why another one is not there', async () => {
      const of = (name: string) =>
        attempt.results.find(({ suite, test }) => suite === 'farm' && test === `driver ${name}`);
      expect(of('toy')).toMatchObject({ verdict: 'pass' });
      expect(of('broken')).toMatchObject({
        verdict: 'no-result',
        reason: expect.stringMatching(/^the driver broken 1\.0 does not build: .*toy_of_an_older_kernel/),
      });
      const serial = await wholeLog(site.client, attempt.id, 'serial');
      expect(serial.some(({ text }) => /peerlab toy driver: a pagemap has \d+ bytes here/.test(text))).toBe(true);
    });

    it('restores the server, and what lies on it is as before', async () => {
      expect(attempt.restored).toBe(true);
      expect(await site.shell(WHAT_LIES_THERE)).toBe(before);
    });
  });
});
