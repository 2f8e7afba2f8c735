import { RunSpec } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { addMbox, buildNameOf } from './add-mbox.js';

const MBOX = `From 3f9c2ab Mon Sep 17 00:00:00 2001
From: A <a@example.org>
Subject: [PATCH] mm: it's "quoted" # not a comment

---
 mm/hmm.c | 2 +-

diff --git a/mm/hmm.c b/mm/hmm.c
@@ -1,2 +1,2 @@
-\told: [line]\t
+\tnew\\n: {line}  

 context after trailing white space
`;

describe('addMbox', () => {
  it('adds a build that reads back to the very same mailbox', () => {
    const added = addMbox(
      '# mine\nname: x\nbuilds:\n  - name: base # first\n    series: []\n',
      'My series v2.mbox',
      MBOX,
    );
    if (!added.ok) throw new Error(added.why);
    expect(added.build).toBe('My-series-v2');
    expect(added.yaml).toContain('# mine');
    expect(added.yaml).toContain('# first');
    const spec = RunSpec.parse(parse(added.yaml));
    expect(spec.builds[1]?.series?.[0]).toEqual({ mbox: MBOX });
  });
  it('puts a series on top of a build that is there', () => {
    const git = `name: x\nbuilds:\n  - name: tree # mine\n    git: {url: 'https://git.example.org/l.git', ref: master}\n    series: [bundled]\n`;
    const added = addMbox(git, 'fix.mbox', MBOX, 0);
    if (!added.ok) throw new Error(added.why);
    expect(added).toMatchObject({ build: 'tree' });
    expect(added.yaml).toContain('- name: tree # mine');
    expect(RunSpec.parse(parse(added.yaml)).builds).toEqual([
      {
        name: 'tree',
        git: { url: 'https://git.example.org/l.git', ref: 'master' },
        series: ['bundled', { mbox: MBOX }],
      },
    ]);
    const bare = addMbox(git.replace('    series: [bundled]\n', ''), 'fix.mbox', MBOX, 0);
    expect(bare.ok && RunSpec.parse(parse(bare.yaml)).builds[0]?.series).toEqual([{ mbox: MBOX }]);
    expect(addMbox(git, 'fix.mbox', 'no patch', 0)).toMatchObject({ ok: false });
  });
  it('starts a run from nothing and from a run without builds', () => {
    for (const yaml of ['', 'name: x\n']) {
      const added = addMbox(yaml, 's.patch', MBOX);
      if (!added.ok) throw new Error(added.why);
      expect(RunSpec.parse(parse(added.yaml)).builds).toHaveLength(1);
    }
  });
  it('keeps carriage returns and odd characters of a mailbox', () => {
    const odd = MBOX.replaceAll('\n', '\r\n') + '\u00e9\u2028\ttab';
    const added = addMbox('name: x\nbuilds: [{name: s, series: []}]\n', 's.mbox', odd);
    if (!added.ok) throw new Error(added.why);
    expect(added.build).toBe('s-2');
    expect(RunSpec.parse(parse(added.yaml)).builds[1]?.series?.[0]).toEqual({ mbox: odd });
  });
  it('keeps form feeds and escapes, which a block of YAML would change, and refuses bytes that it cannot hold', () => {
    const odd = `${MBOX}\n@@ -1,3 +1,3 @@\n \n \f\n-\x1b[0m\n+\x1b[1m\n`;
    const added = addMbox('name: x\n', 's.mbox', odd);
    if (!added.ok) throw new Error(added.why);
    expect(RunSpec.parse(parse(added.yaml)).builds[0]?.series?.[0]).toEqual({ mbox: odd });
    for (const text of [`${MBOX}\0`, `${MBOX}\ufffd`])
      expect(addMbox('name: x\n', 's.mbox', text)).toMatchObject({ ok: false, why: expect.stringMatching(/--series/) });
  });
  it('refuses what is no patch, and YAML that cannot be read', () => {
    expect(addMbox('name: x', 'a.txt', 'hello')).toMatchObject({ ok: false });
    expect(addMbox('name: [x', 'a.mbox', MBOX)).toMatchObject({ ok: false });
    expect(addMbox('builds: 3', 'a.mbox', MBOX)).toMatchObject({ ok: false });
  });
});

describe('buildNameOf', () => {
  it('makes names that the contract accepts', () => {
    expect(buildNameOf('0001-mm: fix.patch')).toBe('0001-mm-fix');
    expect(buildNameOf('§.mbox')).toBe('series');
  });
});
