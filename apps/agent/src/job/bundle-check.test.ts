import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BundleManifest } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFakeBundle } from '../fake/fake-bundle.js';
import { tarEntry, tarFolder, tarHeader, tarOf } from '../fake/tar-bytes.js';
import { checkBuiltBundle, type ExpectedBundle } from './bundle-check.js';

let parent: string;
let folder: string;
let manifest: BundleManifest;
let expected: ExpectedBundle;

beforeEach(async () => {
  parent = mkdtempSync(join(tmpdir(), 'check-'));
  ({ manifest } = await makeFakeBundle(parent, [{ name: 'p2p-functional' }]));
  folder = join(parent, 'bundle');
  const { key, base, series, config, toolchain } = manifest;
  expected = { key, base, series, config, toolchain };
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);
const check = (): Promise<BundleManifest> => checkBuiltBundle(folder, expected);

/** Writes a file and lets the manifest agree with it. */
function put(name: string, content: Buffer | string): void {
  writeFileSync(at(name), content);
  const bytes = Buffer.from(content);
  manifest.files[name] = { sha256: createHash('sha256').update(bytes).digest('hex'), sizeBytes: bytes.length };
  writeManifest();
}
const writeManifest = (change: Partial<BundleManifest> = {}): void =>
  writeFileSync(at('manifest.json'), JSON.stringify({ ...manifest, ...change }));
const modulesOf = (...entries: Buffer[]): void =>
  put('modules.tar', tarOf(tarFolder(`lib/modules/${manifest.release}`), ...entries));
const moduleEntry = (name: string): Buffer => tarEntry({ name: `lib/modules/${manifest.release}/${name}` }, 'x');

describe('the bundle that a build left', () => {
  it('is its manifest when everything agrees', async () => {
    put('config', 'CONFIG_PCI=y\n');
    put('System.map', 'ffffffff81000000 T _text\n');
    expect(await check()).toEqual(manifest);
  });

  it.each<[string, () => void, string]>([
    ['a symbolic link to a secret', () => symlinkSync('/etc/shadow', at('suites/x')), '"suites/x" is a symbolic link'],
    [
      'a folder that is a link',
      () => {
        renameSync(at('suites'), join(parent, 'elsewhere'));
        symlinkSync(join(parent, 'elsewhere'), at('suites'));
      },
      '"suites" is a symbolic link',
    ],
    [
      'an output folder that is a link',
      () => {
        renameSync(folder, `${folder}.moved`);
        symlinkSync(`${folder}.moved`, folder);
      },
      'a symbolic link or of another kind',
    ],
    ['a hard link to a secret', () => linkSync(at('vmlinuz'), join(parent, 'other')), 'several hard links'],
    ['a FIFO', () => void execFileSync('mkfifo', [at('suites/x')]), 'is a FIFO'],
    ['a folder of its own', () => mkdirSync(at('suites/more')), 'the folder "suites/more" is no part of a bundle'],
    ['a file of its own', () => put('vmlinux', 'x'), 'the file "vmlinux" is no part of a bundle'],
    ['a suite that is hidden', () => put('suites/.x', 'x'), 'is no part of a bundle'],
    ['a file that its manifest lacks', () => writeFileSync(at('config'), 'x'), '"config" is not in its manifest'],
    ['no kernel', () => rmSync(at('vmlinuz')), '"vmlinuz" is missing'],
    ['no manifest', () => rmSync(at('manifest.json')), 'there is no manifest.json'],
    ['a manifest that is no JSON', () => writeFileSync(at('manifest.json'), '{'), 'is no JSON'],
    ['a huge manifest', () => truncateSync(at('manifest.json'), 2 ** 21), 'more than 1048576 bytes'],
    ['a sparse file of 128 GiB', () => truncateSync(at('vmlinuz'), 2 ** 37), 'more than 536870912 bytes'],
    ['a file that was changed', () => writeFileSync(at('vmlinuz'), Buffer.alloc(700_000)), 'another digest'],
    ['a file that has grown', () => truncateSync(at('vmlinuz'), 700_001), 'another size'],
    [
      'the release of another kernel',
      () => writeManifest({ release: '6.1.0-50-amd64' }),
      'does not end with -peerlab-',
    ],
    ['a release with a slash', () => writeManifest({ release: `../x-peerlab-${manifest.key.slice(0, 8)}` }), 'no name'],
    ['another key', () => writeManifest({ key: 'f'.repeat(64) }), 'another key than'],
    ['another base', () => writeManifest({ base: { version: '9', sha256: 'f'.repeat(64) } }), 'another base than'],
    [
      'a series that it was not given',
      () => writeManifest({ series: [{ file: 'x', subject: 'x', sha256: 'f'.repeat(64) }] }),
      'another series than',
    ],
    ['another configuration', () => writeManifest({ config: { ...manifest.config, name: 'debug' } }), 'another config'],
    ['another tool chain', () => writeManifest({ toolchain: 'gcc 99' }), 'another toolchain than'],
    [
      'a suite that is a program of the machine',
      () => writeManifest({ suites: manifest.suites.map((suite) => ({ ...suite, command: ['/bin/sh'] })) }),
      'runs "/bin/sh", which is no suite of the bundle',
    ],
    ['modules that are no archive', () => put('modules.tar', 'x'.repeat(1024)), 'modules.tar is refused'],
    ['modules of another kernel', () => modulesOf(tarEntry({ name: 'lib/modules/6.1.0/x.ko' }, 'x')), 'is not below'],
    ['modules beside the folder', () => modulesOf(tarEntry({ name: 'etc/cron.d/x' }, 'x')), 'is not below'],
    [
      'a link among the modules',
      () => modulesOf(tarHeader({ name: `lib/modules/${manifest.release}/build`, type: '2', link: '/root' })),
      'is a symbolic link',
    ],
    ['the mark of the agent', () => modulesOf(moduleEntry('.peerlab')), "the agent's own mark"],
    ['no module', () => modulesOf(), 'has no file below'],
  ])('is refused with %s', async (_, spoil, why) => {
    spoil();
    const failed: unknown = await check().catch((error: unknown) => error);
    expect(failed).toMatchObject({ name: 'JobFailure', failureClass: 'build', message: expect.stringContaining(why) });
    expect(String(failed)).toContain('the build left a bundle that is not accepted');
    // A digest would tell what is in a file that the build cannot read.
    expect(String(failed)).not.toMatch(/[0-9a-f]{32}/);
  });

  it('is not changed by the check', async () => {
    const before = readFileSync(at('manifest.json'), 'utf8');
    await check();
    expect(readFileSync(at('manifest.json'), 'utf8')).toBe(before);
  });
});
