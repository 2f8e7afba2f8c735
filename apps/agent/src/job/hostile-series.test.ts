import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { toyMakefilePatch, toyPatch, toySourcePatch } from '../fake/toy-kernel.js';
import { usageOf } from '../sandbox/watch.js';
import { makeScratchFolder } from './scratch-folder.js';
import { BUILDS_MS, type ToyBuild, ToyBuilder } from '../testing/toy-builder.js';

/** Real builds in the sandbox. */
vi.setConfig({ testTimeout: BUILDS_MS, hookTimeout: BUILDS_MS });

let toy: ToyBuilder;
beforeEach(() => {
  toy = new ToyBuilder();
});
afterEach(() => toy.remove());

const failure = ({ events }: ToyBuild) => {
  const end = events.at(-1);
  return end?.type === 'finished' ? end.failure : null;
};
/** A series whose script runs once, before anything is compiled. */
const hostile = (script: string): { mbox: string } => ({
  mbox:
    toyPatch('run', 'scripts/run.sh', null, `[ ! -e /tmp/.once ] || exit 0\n: >/tmp/.once\n${script}\n`) +
    toyMakefilePatch('call it', '_said := $(shell bash scripts/run.sh >&2)'),
});

describe('what a build writes is counted', () => {
  it('also in files without a name', async () => {
    await toy.remove();
    toy = new ToyBuilder({ diskMiB: 1024 });
    const build = await toy.build([
      hostile('for i in 1 2 3; do exec {fd}>/tmp/f; fallocate -l 500M /tmp/f; rm /tmp/f; done; sleep 60'),
    ]);
    expect(failure(build)).toMatchObject({
      class: 'build',
      message: expect.stringMatching(/the build wrote 15\d\d\.\d MiB to disk/),
    });
  });

  it('also in folders that their owner cannot enter', async () => {
    const folder = join(toy.folder, 'closed');
    mkdirSync(folder);
    // As an agent without rights, which owns what its builds write.
    const ids = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    const script = `
      const { usageOf } = await import(${JSON.stringify(fileURLToPath(new URL('../../dist/sandbox/watch.js', import.meta.url)))});
      const { execSync } = await import('node:child_process');
      const folder = execSync('d=$(mktemp -d) && mkdir $d/in && head -c 3000000 /dev/zero >$d/in/file && chmod 000 $d/in && echo $d').toString().trim();
      const { bytes } = await usageOf([folder]);
      execSync('chmod 700 $d/in; rm -r $d', { env: { ...process.env, d: folder } });
      process.exit(bytes >= 3000000 ? 0 : 1);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { ...ids, stdio: 'inherit' });
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
    expect(await usageOf([folder])).toMatchObject({ files: 1 });
  });

  it('after a failed build as well: a compiler cache that grew too large goes', async () => {
    const broken = { mbox: toySourcePatch('broken', 5).replace('PAGES 5', 'PAGES (') };
    const build = await toy.build(
      [hostile('fallocate -l 1100M /cache/ccache/one; fallocate -l 1100M /cache/ccache/two'), broken],
      {
        cacheDomain: 'submitter-1',
      },
    );
    expect(failure(build)).toMatchObject({ class: 'build' });
    expect(readdirSync(join(toy.settings.cacheDir, 'agent', 'domains'))).toEqual([]);
  });
});

describe('a series', () => {
  it('of a huge subject, of huge names or of too many patches gets an answer at once', async () => {
    expect(failure(await toy.build([{ mbox: toySourcePatch(`a \\ and a " ${'s'.repeat(1_000_000)}`, 3) }]))).toBeNull();
    for (const [mbox, why] of [
      [toyPatch('x', `../${'x'.repeat(1_200_000)}`, null, 'x\n'), /the path \.\.\/xxx/],
      [toyPatch('x', 'x', null, 'x\n').repeat(1001), /more than 1000 patches/],
      [
        toyPatch('x', 'x', null, 'x\n').replace('+++ b/x', String.raw`+++ "b/\056\056/x"`),
        /the path \.\.\/x leaves the tree/,
      ],
    ] as const) {
      expect(failure(await toy.build([{ mbox }]))).toMatchObject({
        class: 'build',
        message: expect.stringMatching(why),
      });
    }
  });

  it('with lines that nearly begin a mail is taken apart in linear time', async () => {
    const line = `From ${'x'.repeat(1_000_000)}\n`;
    const at = performance.now();
    expect(failure(await toy.build([{ mbox: toySourcePatch('more', 3).replace('Why.\n', line) }]))).toBeNull();
    // Half a second beside the build; quadratic it took hours.
    expect(performance.now() - at).toBeLessThan(60_000);
  });

  it('with words that look like the name of a folder is built', async () => {
    for (const words of ['--- a/mm', '--- foo/']) {
      const mbox = toySourcePatch(`words ${words}`, 3).replace('Why.\n', `Why.\n${words}\n`);
      expect(failure(await toy.build([{ mbox }]))).toBeNull();
    }
  });

  it('that lets make end with the status of a wrong usage is no senseless request', async () => {
    const mbox = toyMakefilePatch('stop', '$(if $(filter kernelrelease,$(MAKECMDGOALS)),$(error no))');
    expect(failure(await toy.build([{ mbox }]))).toMatchObject({ class: 'build' });
  });

  it('gets the bundle of the same patches that were in mails of other shapes', async () => {
    const [one, two] = [toySourcePatch('more', 3), toyPatch('a note', 'note', null, 'x\n')];
    expect(failure(await toy.build([{ mbox: one + two }]))).toBeNull();
    expect(failure(await toy.build([{ mbox: one }, { mbox: two }]))).toBeNull();
  });
});

describe('an agent', () => {
  it('builds under a umask that gives others nothing', async () => {
    const before = process.umask(0o077);
    try {
      expect(failure(await toy.build([{ mbox: toySourcePatch('more', 3) }], { cacheDomain: 'a' }))).toBeNull();
    } finally {
      process.umask(before);
    }
  });

  it('builds from a kernel folder with links', async () => {
    const { kernelDir } = toy.settings;
    renameSync(kernelDir, `${kernelDir}.real`);
    symlinkSync(`${kernelDir}.real`, kernelDir);
    renameSync(join(kernelDir, 'config'), join(toy.folder, 'config'));
    symlinkSync('../config', join(kernelDir, 'config'));
    expect(failure(await toy.build([{ mbox: toySourcePatch('more', 3) }]))).toBeNull();
  });

  it.each(['a,b', 'a"b', 'a\\b'])(
    'with the cache in %s builds nothing that was submitted, and what is its own',
    async (name) => {
      const cacheDir = join(toy.folder, name);
      // Without a sandbox the scripts share the cache folder itself.
      cpSync(join(toy.settings.cacheDir, 'builder'), cacheDir, { recursive: true });
      toy.settings.cacheDir = cacheDir;
      expect(failure(await toy.build([{ mbox: toySourcePatch('more', 3) }]))).toMatchObject({
        class: 'infrastructure',
        message: expect.stringMatching(/no sandbox .* give cacheDir another path/),
      });
      // make itself does not work below a path with a quote or a backslash.
      if (name === 'a,b') expect(failure(await toy.build([]))).toBeNull();
    },
  );

  it.each([" it's a b", 'a$(id)b'])('with the cache in %s builds', async (name) => {
    const cacheDir = join(toy.folder, name);
    renameSync(toy.settings.cacheDir, cacheDir);
    toy.settings.cacheDir = cacheDir;
    expect(failure(await toy.build([{ mbox: toySourcePatch('more', 3) }], { cacheDomain: 'a' }))).toBeNull();
  });

  it('removes the folders of an agent that was killed, and no others', async () => {
    const parent = join(toy.settings.cacheDir, 'agent', 'builds');
    const mine = await makeScratchFolder(parent);
    const killed = await makeScratchFolder(parent);
    const gone = spawn('true');
    await new Promise((resolve) => gone.on('close', resolve));
    const owner = join(killed, 'owner');
    writeFileSync(owner, `${gone.pid} 1 ${readlinkSync('/proc/self/ns/pid')}`);
    mkdirSync(join(killed, 'closed', 'below'), { recursive: true, mode: 0o700 });
    const [fresh, old] = [join(parent, 'b-fresh'), join(parent, 'b-old')];
    for (const folder of [fresh, old]) mkdirSync(folder);
    utimesSync(old, 1e9, 1e9);
    expect(failure(await toy.build([]))).toBeNull();
    expect([mine, killed, fresh, old].map((folder) => existsSync(folder))).toEqual([true, false, true, false]);
  });
});
