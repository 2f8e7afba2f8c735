import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parsePatch } from '@peerlab/contracts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { joinMbox, readMbox, splitMbox } from './series-text.js';

const SPLITTER = fileURLToPath(new URL('../../../../kernel/scripts/split-series.pl', import.meta.url));
const DIFF = '--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-a\n+b\n';
const FROM = 'From 0123 Mon Sep 17 00:00:00 2001\n';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'series-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What the builder makes of the text, with git. */
function splitByBuilder(mbox: string | Buffer): Buffer[] {
  writeFileSync(join(folder, 'series.mbox'), mbox);
  execFileSync(SPLITTER, [join(folder, 'series.mbox'), folder, '0'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const files = readdirSync(folder).filter((name) => name.endsWith('.patch'));
  return files.toSorted().map((name) => readFileSync(join(folder, name)));
}

const part = (type: string, text: string): string => `--=-x\nContent-Type: ${type}\n\n${text}\n`;
const SERIES: Record<string, string> = {
  'one mail': `${FROM}Subject: one\n\nWhy ö.\n---\n${DIFF}--\n2.43.0\n`,
  'a bare diff': DIFF,
  'a cover letter and two mails, one of them with words like a separator': `${FROM}Subject: [PATCH 0/2] all\n\nText.\n\n${FROM}Subject: [PATCH 1/2] one\n\nFrom the PCIe specification, page 1024\n\n${DIFF}\n${FROM}Subject: [PATCH 2/2] two\n\n${DIFF}`,
  'quoted-printable below a field with an odd name': `${FROM}X-Spam_score: -1.1\nSubject: q\nContent-Transfer-Encoding: quoted-printable\n\nJ=C3=B6rg says a long li=\nne=20  \n${DIFF.replace('+b', '+b =3D 1;')}`,
  base64: `${FROM}Subject: b\nContent-Transfer-Encoding: base64\n\n${Buffer.from(`Jörg\n${DIFF}`).toString('base64')}\n`,
  'carriage returns': `${FROM}Subject: r\n\n${DIFF}`.replaceAll('\n', '\r\n'),
  'parts of MIME': `${FROM}Subject: m\nContent-Type: multipart/mixed; boundary="=-x"\n\n${part('text/plain', 'Why.')}${part('text/x-patch', DIFF)}${part('image/png', 'diff --git')}--=-x--\n`,
};

it.each(Object.keys(SERIES))('%s shows the changes that the builder applies', (name) => {
  const mbox = SERIES[name] ?? '';
  const shown = (patches: readonly Buffer[]) =>
    patches.map((patch) => {
      const { subject, files } = parsePatch(patch.toString());
      return { subject, files };
    });
  const own = splitMbox(mbox).map(({ content }) => content);
  expect(own.length).toBeGreaterThan(0);
  expect(shown(own)).toEqual(shown(splitByBuilder(mbox)));
});

it('an mbox made of patches gives git am the same tree', () => {
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', folder, '-c', 'user.name=A', '-c', 'user.email=a@b', ...args], {
      encoding: 'utf8',
    }).trim();
  git('init', '-q');
  writeFileSync(join(folder, 'x.c'), 'a\r\n');
  writeFileSync(join(folder, 'y.c'), Buffer.from('J\xf6rg\n', 'latin1'));
  git('add', '.');
  git('commit', '-qm', 'base');
  const patches = [
    Buffer.from(
      `${FROM}From: A <a@b>\nSubject: one\n\nFrom here on\n---\n${DIFF.replace('-a', '-a\r').replace('+b', '+b\r')}`,
    ),
    Buffer.from(
      `${FROM}From: A <a@b>\nSubject: two\n\n${FROM}---\n--- a/y.c\n+++ b/y.c\n@@ -1 +1 @@\n-J\xf6rg\n+J\xf6rn\n`,
      'latin1',
    ),
    Buffer.from('--- /dev/null\n+++ b/z.c\n@@ -0,0 +1 @@\n+z\n'),
  ];
  const file = join(tmpdir(), `joined-${process.pid}.mbox`);
  writeFileSync(file, joinMbox(patches));
  const am = spawnSync('git', ['-C', folder, '-c', 'user.name=A', '-c', 'user.email=a@b', 'am', '-q', file], {
    encoding: 'utf8',
  });
  rmSync(file);
  expect([am.status, am.stderr]).toEqual([0, expect.any(String)]);
  expect(readFileSync(join(folder, 'x.c'), 'latin1')).toBe('b\r\n');
  expect(readFileSync(join(folder, 'y.c'), 'latin1')).toBe('J\xf6rn\n');
  expect(git('log', '--format=%s', '-3')).toBe('a patch without a subject\ntwo\none');
  expect(splitByBuilder(joinMbox(patches)).length).toBe(3);
});

it('reads what is made to take long once only', () => {
  const many = 200_000;
  const mail = `${FROM}Subject: x\nContent-Transfer-Encoding: quoted-printable\n\n`;
  expect(splitMbox(`${mail}${' '.repeat(many)}x\n${DIFF}`)).toHaveLength(1);
  expect(splitMbox('diff --git a/x b/x\n'.repeat(many))).toHaveLength(1);
  expect(splitMbox(`${'A:\n'.repeat(many)}x`)).toEqual([]);
  expect(splitMbox(`From ${'1'.repeat(many)}x\n${DIFF}`)).toHaveLength(1);
});

it('counts and names the patches, what is left out, and refuses what the builder would refuse', () => {
  const cover = `${FROM}Subject: [PATCH 0/2] all\n\nText.\n\nbase-commit: ${'a'.repeat(40)}\n`;
  const one = `${FROM}Subject: [PATCH 1/2] mm:\n one\n\n${DIFF}`;
  const two = `${FROM}Subject: [PATCH 2/2] =?utf-8?q?J=C3=B6rg?=\n\n${DIFF}`;
  expect(readMbox(`${cover}\n${one}\n${two}`)).toEqual({
    subjects: ['mm: one', 'Jörg'],
    leftOut: [{ subject: '[PATCH 0/2] all', why: 'the cover letter' }],
    problem: null,
    baseCommit: 'a'.repeat(40),
  });
  expect(readMbox(DIFF)).toMatchObject({ subjects: [''], problem: null });
  for (const text of ['this is no mail', '', `${FROM}Subject: hello\n\nNo diff.\n`, '{}']) {
    const { problem } = readMbox(text);
    expect(problem, text).toMatch(/^there is no patch in this text/);
    expect(() => splitByBuilder(text), text).toThrow();
  }
  expect(readMbox(cover).problem).toBe('there is no patch in this text, only "[PATCH 0/2] all": the cover letter');
  expect(readMbox(`${one}\n${two}\n${FROM}Subject: a reply\n\nText.\n`).leftOut).toEqual([
    { subject: 'a reply', why: 'there is no patch in it' },
  ]);
  expect(readMbox(two).problem).toBe('"[PATCH 2/2] Jörg" is there, but 1/2 is missing');
});
