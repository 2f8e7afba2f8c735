import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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

/** Digests of what the builder makes of the text. */
function splitByBuilder(mbox: string): string[] {
  writeFileSync(join(folder, 'series.mbox'), mbox);
  execFileSync(SPLITTER, [join(folder, 'series.mbox'), folder, '0']);
  const files = readdirSync(folder).filter((name) => name.endsWith('.patch'));
  return files.toSorted().map((name) =>
    createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex'),
  );
}

const SERIES: Record<string, string> = {
  'one mail': `${FROM}Subject: one\n\nWhy ö.\n---\n${DIFF}--\n2.43.0\n`,
  'a bare diff': DIFF,
  'a cover letter and two mails, one of them quoting': `${FROM}Subject: [PATCH 0/2] all\n\nText.\n\n${FROM}Subject: [PATCH 1/2] one\n\n>From here on\n${DIFF}\n${FROM}Subject: [PATCH 2/2] two\n\n${DIFF}`,
  'quoted-printable': `${FROM}Subject: q\nContent-Transfer-Encoding: quoted-printable\n\nJ=C3=B6rg says a long li=\nne=20  \n${DIFF.replace('+b', '+b =3D 1;')}`,
  base64: `${FROM}Subject: b\nContent-Transfer-Encoding: base64\n\n${Buffer.from(`Jörg\n${DIFF}`).toString('base64')}\n`,
  'carriage returns': `${FROM}Subject: r\n\n${DIFF}`.replaceAll('\n', '\r\n'),
};

it.each(Object.keys(SERIES))('%s is taken apart into the very bytes that the builder applies', (name) => {
  const mbox = SERIES[name] ?? '';
  const digests = splitMbox(mbox).map(({ sha256 }) => sha256);
  expect(digests.length).toBeGreaterThan(0);
  expect(digests).toEqual(splitByBuilder(mbox));
});

it('an mbox made of patches is taken apart into the same patches', () => {
  const patches = [`${FROM}Subject: one\n\nFrom here on\n${DIFF}`, `Subject: two\n\n${DIFF}`];
  const back = splitMbox(joinMbox(patches)).map(({ content }) => content.toString());
  expect(back).toHaveLength(2);
  expect(back[0]).toContain('\nFrom here on\n');
  expect(back[1]).toContain('Subject: two');
});

it('reads what is made to take long once only', () => {
  const many = 200_000;
  const mail = `${FROM}Subject: x\nContent-Transfer-Encoding: quoted-printable\n\n`;
  expect(splitMbox(`${mail}${' '.repeat(many)}x\n${DIFF}`)).toHaveLength(1);
  expect(splitMbox('diff --git a/x b/x\n'.repeat(many))).toEqual([]);
  expect(splitMbox(`${'A:\n'.repeat(many)}x`)).toEqual([]);
  expect(splitMbox(`From ${'1'.repeat(many)}x\n${DIFF}`)).toHaveLength(1);
});

it('counts and names the patches, and refuses what the builder would refuse', () => {
  const cover = `${FROM}Subject: [PATCH 0/2] all\n\nText.\n`;
  const one = `${FROM}Subject: [PATCH 1/2] mm:\n one\n\n${DIFF}`;
  const two = `${FROM}Subject: =?utf-8?q?J=C3=B6rg?=\n\n${DIFF}`;
  expect(readMbox(`${cover}\n${one}\n${two}`)).toEqual({ subjects: ['mm: one', 'Jörg'], problem: null });
  expect(readMbox(DIFF)).toEqual({ subjects: [''], problem: null });
  for (const text of ['this is no mail', '', `${FROM}Subject: hello\n\nNo diff.\n`, '{}']) {
    const { problem } = readMbox(text);
    expect(problem, text).toMatch(/^there is no patch in this text/);
    expect(() => splitByBuilder(text), text).toThrow();
  }
  expect(readMbox(cover).problem).toBe('there is no patch in this text, only a cover letter');
  expect(readMbox(`${one}\n${FROM}Subject: a reply\n\nText.\n`).problem).toBe(
    'there is no patch in mail 2 of 2, "a reply"',
  );
});
