import { describe, expect, it } from 'vitest';
import {
  BUNDLE_FILE_MAX_BYTES,
  BUNDLE_FILES_MAX,
  BuildError,
  BundleManifest,
  isBundlePath,
  NewBundleManifest,
  whyBadBundle,
} from './bundle.js';

const sha256 = 'a'.repeat(64);
const filesOf = (...paths: string[]) => Object.fromEntries(paths.map((path) => [path, { sha256, sizeBytes: 1 }]));
const MANIFEST: BundleManifest = {
  schema: 1,
  key: sha256,
  release: '7.3.4-peerlab-aaaaaaaa',
  buildId: 'ab'.repeat(20),
  base: { version: '7.3.4', sha256 },
  series: [{ file: '0001-x.patch', subject: 'x', sha256 }],
  config: { name: 'peerlab', sha256 },
  toolchain: 'gcc 12',
  features: ['dma_alias'],
  modules: [],
  suites: [
    { name: 's', kind: 'functional', command: ['suites/s'], timeoutSeconds: 1, testTimeoutSeconds: 1, tests: [] },
  ],
  files: filesOf('vmlinuz', 'modules.tar', 'System.map', 'config', 'suites/p2p_functional', 'suites/data/x.bin'),
};

describe('a path in a bundle', () => {
  it.each(['vmlinuz', 'System.map', 'suites/p2p_functional', 'suites/mm/.config', 'a/b/c/d/e/f/g/h'])(
    'may be %s',
    (path) => {
      expect(isBundlePath(path)).toBe(true);
    },
  );

  it.each([
    '',
    '/etc/passwd',
    '../x',
    'suites/../x',
    'suites/..',
    'suites/./x',
    './x',
    'suites//x',
    'suites/',
    'suites/-rf',
    '-rf',
    '.hidden',
    'a\\b',
    'a b',
    'a\nb',
    'ä',
    'a\0b',
    'a/b/c/d/e/f/g/h/i',
    'x'.repeat(201),
  ])('may not be %j', (path) => {
    expect(isBundlePath(path)).toBe(false);
  });
});

describe('a manifest from outside', () => {
  it('is taken when its paths, sizes and counts are right', () => {
    expect(NewBundleManifest.parse(MANIFEST)).toEqual(MANIFEST);
    expect(whyBadBundle(MANIFEST)).toBeNull();
  });

  it.each<[string, Partial<BundleManifest>, string[]]>([
    ['a path outside', { files: filesOf('../vmlinuz') }, ['files', '../vmlinuz']],
    ['itself as a file', { files: filesOf('manifest.json') }, ['files', 'manifest.json']],
    ['a file that is a folder, too', { files: filesOf('suites', 'suites/a') }, ['files', 'suites/a']],
    ['a huge file', { files: { vmlinuz: { sha256, sizeBytes: BUNDLE_FILE_MAX_BYTES + 1 } } }, ['files', 'vmlinuz']],
    [
      'much in all',
      { files: Object.fromEntries(['a', 'b', 'c'].map((p) => [p, { sha256, sizeBytes: BUNDLE_FILE_MAX_BYTES }])) },
      ['files'],
    ],
    ['a release with a slash', { release: '../6.1.0' }, ['release']],
    ['a release that is hidden', { release: '.x' }, ['release']],
    [
      'too many files',
      { files: filesOf(...Array.from({ length: BUNDLE_FILES_MAX + 1 }, (_, index) => `f${index}`)) },
      ['files'],
    ],
  ])('is refused with %s', (_, change, path) => {
    const { success, error } = NewBundleManifest.safeParse({ ...MANIFEST, ...change });
    expect(success).toBe(false);
    expect(error?.issues.map((issue) => issue.path)).toEqual([path]);
  });

  it('loses the end of a text that is too long, instead of being refused', () => {
    const subject = `${'s'.repeat(999)}😀 tail`;
    const read = BundleManifest.parse({ ...MANIFEST, series: [{ file: 'f', subject, sha256 }] });
    expect(read.series[0]?.subject).toBe('s'.repeat(999));
    const error = BuildError.parse({ class: 'compile', detail: 'd'.repeat(5000) });
    expect(error.detail).toHaveLength(4000);
  });
});
