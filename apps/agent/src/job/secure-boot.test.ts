import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import type { AttemptEvent } from '@peerlab/contracts';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_PACE, type FakeLab, type FakeLabOptions, startFakeLab } from '../fake/fake-lab.js';
import type { BootTrust } from '../machine/protocols.js';
import { openSigner, type SigningSettings } from '../signing/index.js';
import { toyImage } from '../signing/toy-image.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { makeSiteKey } from '../testing/site-key.js';
import { AttemptContext } from './attempt-context.js';
import { bootPolicyScript, judgeBootPolicy, parseBootPolicy } from './boot-policy.js';
import { whyModulesRefused } from './module-signatures.js';
import { runTestJob } from './test-job.js';

let folder: string;
let keyFolder: string;
let site: SigningSettings;
/** A list of keys as firmware keeps it, with some other certificate's bytes before that of the site. */
let keys: string;
let lab: FakeLab | null = null;

beforeAll(() => {
  keyFolder = mkdtempSync(join(tmpdir(), 'peerlab-secure-keys-'));
  site = makeSiteKey(keyFolder);
  const { raw } = new X509Certificate(readFileSync(site.certificateFile));
  keys = Buffer.concat([Buffer.alloc(900, 0x30), raw]).toString('base64');
});
afterAll(() => rmSync(keyFolder, { recursive: true, force: true }));
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-secure-'));
});
afterEach(async () => {
  await lab?.fake.stop();
  lab = null;
  rmSync(folder, { recursive: true, force: true });
});

const OTHERS = Buffer.alloc(900, 0x30).toString('base64');
const ON = 'firmware uefi\nsecure-boot 1\n';

describe('the rule about Secure Boot', () => {
  const judged = (text: string, trusts: BootTrust = 'firmware-and-shim', commandLine = 'ro', signs = true): string => {
    const signer = signs ? openSigner(site) : null;
    const permission = judgeBootPolicy(parseBootPolicy(text), { boot: { loader: 'X', trusts }, signer }, commandLine);
    return `${permission.kind}: ${permission.why}${permission.kind === 'refused' ? ` → ${permission.remedy}` : ''}`;
  };
  const LOCKED = 'lockdown none [integrity] confidentiality\n';

  it('lets kernels boot as they are where nothing checks them', () => {
    expect(judged('')).toBe('unsigned: Secure Boot is off');
    expect(judged('firmware uefi\nsecure-boot 0\n')).toBe('unsigned: Secure Boot is off');
    expect(judged(`${ON}shim-unchecked 1\n`)).toContain('unsigned: Secure Boot is on, and shim was told not to check');
    // The firmware itself does not ask shim.
    expect(judged(`${ON}shim-unchecked 1\ndb ${OTHERS}\n`, 'firmware')).toContain('refused: ');
  });

  it('believes what the kernel was told at boot where the variables are not mounted', () => {
    expect(judged('firmware uefi\ntold 2\n')).toBe('unsigned: Secure Boot is off');
    expect(judged('firmware uefi\ntold 3\n')).toMatch(/^refused: .*cannot be read → mount efivarfs/);
    expect(judged('firmware uefi\ntold 0\n')).toContain('unsigned: whether Secure Boot is on could not be read');
  });

  it('signs where the certificate is enrolled, in db or among the keys of the owner', () => {
    expect(judged(`${ON}${LOCKED}db ${keys}\n`)).toContain(
      "signed: Secure Boot is on, and the site's certificate is in db",
    );
    expect(judged(`${ON}db ${OTHERS}\nmok ${OTHERS}\nmok ${keys}\n`)).toContain('among the keys of its owner (MOK)');
    expect(judged(`${ON}db ${OTHERS}\nmok ${keys}\n`, 'firmware')).toMatch(/^refused: .* → add .*site\.crt to db/);
  });

  it('refuses with what to do about it', () => {
    expect(judged(`${ON}db ${keys}\n`, 'firmware-and-shim', 'ro', false)).toMatch(/^refused: .* → configure signing:/);
    expect(judged(`${ON}db ${OTHERS}\n`)).toMatch(
      /^refused: .* is not enrolled → copy .*site\.crt .* mokutil --import/,
    );
  });

  it('knows a default kernel that is locked down by its command line from one that is so by Secure Boot', () => {
    const byWords = judged(`${ON}${LOCKED}db ${keys}\n`, 'firmware-and-shim', 'ro lockdown=integrity');
    expect(byWords).toMatch(/^refused: the default kernel is locked down \(integrity\).* → take lockdown=/);
    expect(judged(LOCKED)).toMatch(/^refused: the default kernel is locked down/);
    expect(judged(`${ON}${LOCKED}`, 'kernel')).toMatch(
      /^refused: .* loads no kernel under test by X → name the boot loader/,
    );
    expect(judged('', 'kernel')).toContain('unsigned: the running kernel loads others');
  });

  it('reads the variables of the firmware as Linux shows them', () => {
    const certificate = Buffer.from(keys, 'base64');
    const put = (path: string, data: Buffer): void => {
      const file = join(folder, 'sys', path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, data);
    };
    const variable = (name: string, data: Buffer): void =>
      put(`firmware/efi/efivars/${name}`, Buffer.concat([Buffer.of(6, 0, 0, 0), data]));
    const read = () => parseBootPolicy(execFileSync('sh', ['-c', bootPolicyScript(folder)], { encoding: 'utf8' }));
    const none = { secureBoot: false, shimUnchecked: false, db: Buffer.alloc(0), mok: Buffer.alloc(0), lockdown: null };
    expect(read()).toEqual(none);
    put('kernel/boot_params/data', Buffer.alloc(4096, 3));
    put('firmware/efi/mok-variables/MokListRT', certificate);
    put('kernel/security/lockdown', Buffer.from('none [integrity] confidentiality\n'));
    expect(read()).toEqual({ ...none, secureBoot: true, mok: certificate, lockdown: 'integrity' });
    variable('SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c', Buffer.of(0));
    variable('db-d719b2cb-3d3a-4596-a3bc-dad00e67656f', certificate);
    variable('MokSBStateRT-605dab50-e046-4300-abb6-3dd810dd8b23', Buffer.of(1));
    expect(read()).toMatchObject({ secureBoot: false, shimUnchecked: true, db: certificate });
  });

  it('reads whatever a machine says', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom(ON, LOCKED, 'db', 'db ====', 'told x'), fc.string())), (lines) => {
        expect(judged(lines.join('\n'), 'firmware', 'ro', false)).toMatch(/^(unsigned|refused): /);
      }),
    );
  });
});

describe('modules', () => {
  const SIGNED = 'CONFIG_MODULE_SIG=y\n';
  it.each([
    ['', 'module.sig_enforce=1 lockdown=integrity', null],
    [SIGNED, 'ro quiet', null],
    [SIGNED, 'ro module.sig_enforce', 'the command line of the machine has module.sig_enforce,'],
    [SIGNED, 'lockdown=integrity', null],
    [`${SIGNED}CONFIG_SECURITY_LOCKDOWN_LSM=y\n`, 'lockdown=integrity', 'has lockdown=integrity,'],
    [`${SIGNED}CONFIG_MODULE_SIG_ALL=y\n`, 'module.sig_enforce', null],
    [`${SIGNED}CONFIG_MODULE_SIG_FORCE=y\n`, '', 'its configuration has CONFIG_MODULE_SIG_FORCE,'],
    [`${SIGNED}# CONFIG_MODULE_SIG_FORCE is not set\n`, '', null],
  ])('of a kernel with %j and the command line %j are refused: %s', (config, commandLine, why) => {
    const refused = whyModulesRefused(config, commandLine)?.why ?? null;
    if (why === null) expect(refused).toBeNull();
    else expect(refused).toContain(why);
  });
});

describe('a job on a machine with Secure Boot', () => {
  async function run(
    policy: string,
    options: FakeLabOptions & { signs?: boolean; trusts?: () => boolean } = {},
  ): Promise<{ finished: Extract<AttemptEvent, { type: 'finished' }>; notes: string; results: unknown[] }> {
    const signer = options.signs === false ? null : openSigner(site);
    const more = { vmlinuz: toyImage([512, 4096]), config: Buffer.from('CONFIG_MODULES=y\n'), ...options.more };
    lab = await startFakeLab(folder, { bootSeconds: 5, ...options, more, signer });
    const { fake } = lab;
    fake.bootPolicy = policy;
    fake.trusts =
      options.trusts ??
      ((image) => {
        writeFileSync(join(folder, 'loaded'), image);
        try {
          execFileSync('sbverify', ['--cert', site.certificateFile, join(folder, 'loaded')], { stdio: 'pipe' });
          return true;
        } catch {
          return false;
        }
      });
    const assignment = lab.assign();
    const spool = AttemptSpool.create(join(folder, 'spool'), assignment);
    const { signal } = new AbortController();
    const lease = { check: () => undefined };
    await runTestJob(
      new AttemptContext(assignment, assignment.work, lab.machine, lab.bundles, spool, FAKE_PACE, signal, lease),
    );
    const events = spool
      .file('events')
      .read(0, 10_000, 1e9)
      .flatMap((entry) => ('event' in entry ? [entry.event] : []));
    const finished = events.find((event) => event.type === 'finished');
    if (finished?.type !== 'finished') throw new Error('the attempt did not finish');
    const notes = spool
      .file('agent')
      .read(0, 100_000, 1e9)
      .flatMap((entry) => ('text' in entry ? [entry.text] : []));
    const results = events.filter((event) => event.type === 'result' && event.result.test === 'boot');
    return { finished, notes: notes.join('\n'), results };
  }

  it('boots the kernel that the agent signed, which is still the bundle’s', async () => {
    const { finished, notes } = await run(`${ON}db ${keys}\n`);
    expect(finished).toMatchObject({ failure: null, restored: true });
    expect(notes).toContain(`flash: vmlinuz signed for Secure Boot with ${site.certificateFile}`);
    expect(notes).not.toContain(site.keyFile);
  });

  it('that the agent could not see gives no finding about the kernel', async () => {
    const { finished, results } = await run('firmware uefi\n');
    expect(finished).toMatchObject({
      restored: true,
      failure: {
        class: 'infrastructure',
        stage: 'boot',
        message: expect.stringMatching(
          /GRUB refused the image for its signature: bad shim signature; it was not signed/,
        ),
      },
    });
    expect(results).toEqual([]);
  });

  it('where the signature is refused all the same, names what to look at', async () => {
    const { finished } = await run(`${ON}db ${keys}\n`, { trusts: () => false });
    expect(finished.failure).toMatchObject({ class: 'infrastructure', stage: 'boot' });
    expect(finished.failure?.message).toMatch(
      /it was signed with .*site\.crt; look whether that certificate was revoked/,
    );
  });

  it('is not begun without a key', async () => {
    const { finished } = await run(`${ON}db ${keys}\n`, { signs: false });
    expect(finished.failure).toMatchObject({ class: 'infrastructure', stage: 'prepare' });
    expect(lab?.fake.commands).not.toContain('grub-install');
  });

  it('refuses a kernel that is no EFI application, as the submitter’s', async () => {
    const { finished } = await run(`${ON}db ${keys}\n`, { more: { vmlinuz: Buffer.alloc(5000, 1) } });
    expect(finished.failure).toMatchObject({
      class: 'request',
      stage: 'flash',
      message: expect.stringContaining('build it with CONFIG_EFI_STUB'),
    });
    expect(finished.restored).toBe(true);
  });

  it('refuses a kernel that would refuse its own modules, before anything is written', async () => {
    const config = Buffer.from('CONFIG_MODULE_SIG=y\nCONFIG_MODULE_SIG_FORCE=y\n');
    const { finished } = await run(`${ON}db ${keys}\n`, { more: { config } });
    expect(finished.failure).toMatchObject({ class: 'request', stage: 'flash' });
    expect(finished.failure?.message).toContain('would refuse every module');
    expect(lab?.fake.commands).not.toContain('make-folders');
  });
});
