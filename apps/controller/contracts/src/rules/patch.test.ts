import { describe, expect, it } from 'vitest';
import { diffSize, parsePatch } from './patch.js';

const MAIL = `From 0123 Mon Sep 17 00:00:00 2001
From: =?UTF-8?q?J=C3=B6rg_R=C3=B6del?= <j@example.org>
Date: Sun, 22 Nov 2026 08:01:42 +0000
Subject: [PATCH v2 02/19] mm/hmm: a long subject
 that goes on

Say why.
---
 mm/hmm.c | 3 ++-
 1 file changed, 2 insertions(+), 1 deletion(-)

diff --git a/mm/hmm.c b/mm/hmm.c
index e89f140..c25ed4d 100644
--- a/mm/hmm.c
+++ b/mm/hmm.c
@@ -10,3 +10,4 @@ static int here(void)
 context
--- not a header
+++ not a header either
+<script>alert(1)</script>

@@ -90 +91 @@
-old
+new
\\ No newline at end of file
--
2.43.0
`;

describe('parsePatch', () => {
  it('reads headers, message and hunks', () => {
    const patch = parsePatch(MAIL);
    expect(patch).toMatchObject({
      subject: 'mm/hmm: a long subject that goes on',
      author: 'Jörg Rödel <j@example.org>',
      date: 'Sun, 22 Nov 2026 08:01:42 +0000',
      message: 'Say why.',
    });
    const [file] = patch.files;
    expect(patch.files).toHaveLength(1);
    expect(file).toMatchObject({ path: 'mm/hmm.c', change: 'changed', added: 3, removed: 2 });
    expect(diffSize(patch.files)).toEqual({ added: 3, removed: 2 });
    expect(file?.hunks[0]).toMatchObject({ oldStart: 10, newStart: 10, context: 'static int here(void)' });
    expect(file?.hunks[0]?.lines.map(({ kind }) => kind).join('')).toBe(' -++ ');
    expect(file?.hunks[1]?.lines).toEqual([
      { kind: '-', text: 'old' },
      { kind: '+', text: 'new' },
      { kind: '\\', text: 'No newline at end of file' },
    ]);
  });

  it('knows new, deleted and renamed files, and a diff without a mail around it', () => {
    const { files, subject, author } = parsePatch(
      [
        'diff --git a/a.c b/b.c',
        'similarity index 100%',
        'rename from a.c',
        'rename to b.c',
        'diff --git a/new.c b/new.c',
        'new file mode 100644',
        '--- /dev/null',
        '+++ b/new.c',
        '@@ -0,0 +1,2 @@',
        '+one',
        '+two',
        'diff --git a/gone.c b/gone.c',
        'deleted file mode 100644',
        '--- a/gone.c',
        '+++ /dev/null',
        '@@ -1 +0,0 @@',
        '-one',
      ].join('\n'),
    );
    expect([subject, author]).toEqual([null, null]);
    expect(files.map(({ path, oldPath, change, added, removed }) => [path, oldPath, change, added, removed])).toEqual([
      ['b.c', 'a.c', 'renamed', 0, 0],
      ['new.c', null, 'added', 2, 0],
      ['gone.c', null, 'deleted', 0, 1],
    ]);
  });

  it('reads the names in a git line as they are written there, quotes and separators of lines included', () => {
    const pathOf = (names: string) => parsePatch(`diff --git ${names}\nold mode 100644\n`).files[0]?.path;
    expect(pathOf('a/x.c b/x.c')).toBe('x.c');
    expect(pathOf('"a/x y.c" "b/x y.c"')).toBe('x y.c');
    expect(pathOf('a/x.c "b/\\303\\266.c"')).toBe('\\303\\266.c');
    expect(pathOf('a/x\u2028.c b/x\u2028.c')).toBe('x\u2028.c');
    expect(pathOf('x.c y.c')).toBe('x.c y.c');
    const { files } = parsePatch('--- "a/x y.c"\t2026\n+++ "b/x y.c"\t2026\n@@ -1 +1 @@ f\u2028()\n-a\rb\n+c\n');
    expect(files).toMatchObject([{ path: 'x y.c', added: 1, removed: 1, hunks: [{ context: 'f\u2028()' }] }]);
    expect(parsePatch(MAIL, { lines: false }).files).toMatchObject([
      { added: 3, removed: 2, hunks: [{ lines: [] }, {}] },
    ]);
  });

  it('makes of nonsense an empty patch, or one with what can be told', () => {
    expect(parsePatch('')).toEqual({ subject: null, author: null, date: null, message: '', files: [] });
    expect(parsePatch('@@ -1 +1 @@\n-a\n+b\n').files).toEqual([]);
    expect(parsePatch('diff --git a/x b/x\n@@ -1,999999999 +1 @@\n-a').files[0]?.removed).toBe(1);
    expect(parsePatch('Subject: =?nope?q?=C3=B6?=\n\nx').subject).toBe('=?nope?q?=C3=B6?=');
    expect(parsePatch('Subject: =?utf-8?b?w7Ygb2s=?= =?iso-8859-1?q?=F6?=\n\nx').subject).toBe('ö okö');
  });
});
