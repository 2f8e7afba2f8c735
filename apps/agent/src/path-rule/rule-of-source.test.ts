import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IDS_FILE, RULE_FILE } from './read-path-rule.js';
import { RULE_SCRIPT, ruleIn } from './rule-of-source.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'peerlab-rule-'));
  for (const name of ['source', 'patches', 'out']) mkdirSync(join(root, name));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
const applied = (): void =>
  void execFileSync(
    'bash',
    ['-euo', 'pipefail', '-c', RULE_SCRIPT, 'rule', ...['source', 'patches', 'out'].map((name) => join(root, name))],
    { stdio: 'pipe' },
  );
const rule = (): string | null => {
  const path = join(root, 'out/p2pdma.c');
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
};

const MODIFIED = `From: somebody
Subject: two files

---
--- a/mm/other.c
+++ b/mm/other.c
@@ -1 +1 @@
-never here
+never there
--- a/${RULE_FILE}
+++ b/${RULE_FILE}
@@ -1,3 +1,3 @@
 one
-two
+TWO
 three
`;

describe('the source that is built', () => {
  beforeEach(() => put(`source/${RULE_FILE}`, 'one\ntwo\nthree\n'));

  it('has what the patches change of it, whatever else they change', () => {
    put(`source/${IDS_FILE}`, '#define A 0x1\n');
    put('patches/0001.patch', MODIFIED);
    put('patches/0002.patch', MODIFIED.replaceAll('two', 'TWO').replace('+TWO', '+2'));
    put('patches/0003.patch', `--- a/${IDS_FILE}\n+++ b/${IDS_FILE}\n@@ -1 +1,2 @@\n #define A 0x1\n+#define B 0x2\n`);
    put(
      'patches/0004.patch',
      `a mail that names ${RULE_FILE}\n--- a/mm/other.c\n+++ b/mm/other.c\n@@ -1 +1 @@\n-a\n+b\n`,
    );
    applied();
    expect(rule()).toBe('one\n2\nthree\n');
    expect(readFileSync(join(root, 'out/pci_ids.h'), 'utf8')).toBe('#define A 0x1\n#define B 0x2\n');
    expect(readFileSync(join(root, 'source', RULE_FILE), 'utf8')).toBe('one\ntwo\nthree\n');
  });

  it('has no rule that is known once the file is gone, under which name ever', async () => {
    const away = (head: string): string => `diff --git a/${RULE_FILE} b/drivers/pci/core.c\n${head}`;
    const removed = `${away('deleted file mode 100644\n')}--- a/${RULE_FILE}\n+++ /dev/null\n@@ -1,3 +0,0 @@\n-one\n-two\n-three\n`;
    const renamed = away(`similarity index 100%\nrename from ${RULE_FILE}\nrename to drivers/pci/core.c\n`);
    for (const patch of [removed.replace('b/drivers/pci/core.c', `b/${RULE_FILE}`), renamed]) {
      rmSync(join(root, 'out'), { recursive: true });
      mkdirSync(join(root, 'out'));
      put('patches/0001.patch', patch);
      applied();
      expect(rule()).toBeNull();
      expect(await ruleIn(join(root, 'out'))).toMatchObject({ changed: [{ what: 'path' }] });
    }
  });

  it('is not read through a link, of the source or of a patch', async () => {
    put('secret', 'of this computer\n');
    rmSync(join(root, 'source', RULE_FILE));
    symlinkSync(join(root, 'secret'), join(root, 'source', RULE_FILE));
    put(
      'patches/0001.patch',
      `diff --git a/${IDS_FILE} b/${IDS_FILE}\nnew file mode 120000\n--- /dev/null\n+++ b/${IDS_FILE}\n@@ -0,0 +1 @@\n+${join(root, 'secret')}\n\\ No newline at end of file\n`,
    );
    applied();
    expect([rule(), existsSync(join(root, 'out/pci_ids.h'))]).toEqual([null, false]);
    expect(await ruleIn(join(root, 'out'))).toBeNull();
    symlinkSync(join(root, 'secret'), join(root, 'out/p2pdma.c'));
    await expect(ruleIn(join(root, 'out'))).rejects.toThrow('symbolic link');
  });

  it('fails when a patch does not apply, as the build will', () => {
    put('patches/0001.patch', MODIFIED.replace('-two', '-tow'));
    expect(applied).toThrow('patch does not apply');
  });
});

it('a source that never had the file has no rule, unless a patch brings one', async () => {
  applied();
  expect(await ruleIn(join(root, 'out'))).toBeNull();
  rmSync(join(root, 'out'), { recursive: true });
  mkdirSync(join(root, 'out'));
  put('patches/0001.patch', `--- /dev/null\n+++ b/${RULE_FILE}\n@@ -0,0 +1 @@\n+int rule;\n`);
  applied();
  expect(await ruleIn(join(root, 'out'))).toMatchObject({ hostBridges: [], changed: expect.any(Array) as unknown[] });
});
