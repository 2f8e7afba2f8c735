import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AttemptDetail, RunDetail, RunSpec } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { BareSite, type Ended } from './bare-site.js';
import { attemptsOf, runToTheEnd, wholeLog } from './started-farm.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const SERVER = 's-secure';
/** A disk image, and five boots of a distribution's own kernel under emulation beside other work. */
const ENROL_MS = 90 * 60_000;
/** A kernel, and two attempts on the server. */
const RUN_MS = 150 * 60_000;

describe('a server with Secure Boot, from the config of an agent that has no machine', () => {
  let site: BareSite;
  let withoutKey: Ended;
  let enrolled: Ended;

  beforeAll(async () => {
    site = await BareSite.start(SERVER);
    const drivers = ['--bmc', SERVER, '--console', 'sol', '--labels', 'set=secure'];
    const config = await readFile(site.configFile, 'utf8');
    await writeFile(site.configFile, config.replace(/^signing: .*\n/m, ''));
    withoutKey = await site.enrol(...drivers);
    await writeFile(site.configFile, config);
    enrolled = await site.enrol(...drivers, '--act', '--confirm', SERVER);
  }, ENROL_MS);
  afterAll(() => site?.remove());

  it('is refused by a site that has no key, with what to do about it', () => {
    expect(withoutKey.code, withoutKey.stdout + withoutKey.stderr).toBe(1);
    expect(withoutKey.stdout.match(/^. fail .*/gm)).toEqual([
      expect.stringMatching(/fail secure-boot +Secure Boot is on, and refuses a kernel that is not signed/),
    ]);
    expect(withoutKey.stdout).toMatch(/→ configure signing: with a key of the site and enrol its certificate here/);
  });

  it('is enrolled by one that has, and boots a kernel that the site signed in place of its vendor', () => {
    expect(enrolled.code, enrolled.stdout + enrolled.stderr).toBe(0);
    expect(enrolled.stdout).not.toMatch(/^. (?:fail|warn) /m);
    expect(enrolled.stdout).toMatch(/pass secure-boot .*the site's certificate is in db/);
    expect(enrolled.stdout).toMatch(
      /pass fallback .*booted once, signed with \S+\/signing\.crt .*after a crash the default kernel came back by itself/,
    );
  });

  it('has nothing of that left on it', async () => {
    expect(await site.shell('ls /boot')).not.toMatch(/peerlab-enrolment/);
  });

  describe('with the agent started on that config', () => {
    let run: RunDetail;
    let tests: AttemptDetail[];
    const said = async (attempt: AttemptDetail, pattern: RegExp): Promise<string[]> =>
      (await wholeLog(site.client, attempt.id, 'agent')).map(({ text }) => text).filter((text) => pattern.test(text));

    beforeAll(async () => {
      if (enrolled.code !== 0) throw new Error('the server was not enrolled');
      await site.startAgent();
      // As on a system that does not mount what the firmware says, until it boots again.
      const hidden = ['/sys/firmware/efi/efivars', '/sys/kernel/boot_params'];
      await site.shell(hidden.map((place) => `mount -t tmpfs none ${place}`).join(' && '));
      const spec = parse(await readFile(join(root, 'infra/runs/servers.yaml'), 'utf8')) as RunSpec;
      run = await runToTheEnd(site.client, JSON.stringify({ ...spec, machines: { names: [SERVER] } }), RUN_MS);
      tests = (await attemptsOf(site.client, run)).filter(({ kind }) => kind === 'test');
    }, RUN_MS);

    it('calls an image that was refused for its signature the lab’s trouble, and knows nothing of the kernel', async () => {
      const [first] = tests;
      if (first === undefined) throw new Error(`the server was not tested: ${JSON.stringify(run.jobViews, null, 1)}`);
      expect(first.failure).toMatchObject({ class: 'infrastructure', stage: 'boot' });
      expect(first.failure?.message).toMatch(
        /s-secure: GRUB refused the image for its signature: bad shim signature; it was not signed, because nothing said/,
      );
      expect(first.results.filter(({ test }) => test === 'boot')).toEqual([]);
      expect(first.restored).toBe(true);
    });

    it('boots the same kernel signed, when the machine says that it has Secure Boot, and passes the suite', async () => {
      const last = tests.at(-1);
      if (last === undefined) throw new Error('no attempt');
      expect(tests).toHaveLength(2);
      expect(await said(last, /^flash: vmlinuz signed for Secure Boot with \S+\/signing\.crt$/)).toHaveLength(1);
      const candidate = last.kernels.find(({ phase }) => phase === 'candidate');
      expect(candidate).toMatchObject({ proven: true, release: expect.stringMatching(/-peerlab-[0-9a-f]{8}$/) });
      const bad = last.results.filter(({ verdict }) => !['pass', 'skip'].includes(verdict));
      expect(bad.map(({ suite, test, verdict, reason }) => `${suite} ${test}: ${verdict} ${reason ?? ''}`)).toEqual([]);
      expect(run.verdict).toBe('pass');
      expect(last.restored).toBe(true);
    });

    it('never shows the key of the site', async () => {
      const key = await readFile(join(site.folder, 'lab/signing.key'), 'utf8');
      const lines = key.split('\n').filter((line) => line.length > 40);
      expect(lines.length).toBeGreaterThan(10);
      for (const line of lines) expect(site.output).not.toContain(line);
    });
  });
});
