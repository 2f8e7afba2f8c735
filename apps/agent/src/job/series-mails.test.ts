import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeRepository } from '../fake/git-servers.js';
import { type SeriesMails, takeMails, unmetBases } from './series-mails.js';

/** What git am makes of a mail, and what a builder makes of it: the same tree. */
const SCRIPTS = fileURLToPath(new URL('../../../../kernel/scripts', import.meta.url));

let folder: string;
let repository: FakeRepository;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mails-'));
  repository = new FakeRepository(join(folder, 'linux'));
  const files: Record<string, string> = {
    'mm/hmm.c': Array.from({ length: 60 }, (_, at) => `int line_${at};\n`).join(''),
    'mm/crlf.c': 'int one;\r\nint two;\r\nint three;\r\n',
    'mm/run.sh': '#!/bin/sh\n',
    'mm/empty': '',
    'mm/Jörg notes.txt': 'a\nb\nc\n',
    'mm/latin.c': '',
    'mm/sql': 'select 1;\n-- old comment\nselect 2;\n',
    Kbuild: '',
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(repository.folder, name, '..'), { recursive: true });
    writeFileSync(join(repository.folder, name), text);
  }
  writeFileSync(join(repository.folder, 'mm/latin.c'), Buffer.from('/* J\xf6rg */\nint a;\n', 'latin1'));
  repository.commit('base');
  repository.git('tag', 'base');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => join(repository.folder, name);

/** One patch as git writes it, of a change to the base. */
function patchOf(change: () => void, message = 'mm: a change\n\nWhy.'): string {
  repository.git('checkout', '--quiet', '--force', '-B', 'work', 'base');
  change();
  repository.commit(message);
  const text = execFileSync(
    'git',
    ['-C', repository.folder, 'format-patch', '--stdout', '-1', '--binary', '-C', '-C'],
    {
      encoding: 'latin1',
    },
  );
  repository.git('checkout', '--quiet', '--force', 'base');
  return text;
}

/** The tree that git am makes on the base; null when it refuses. */
function treeOfGit(mbox: string): string | null {
  const file = join(folder, 'am.mbox');
  writeFileSync(file, mbox, 'latin1');
  repository.git('checkout', '--quiet', '--force', '-B', 'am', 'base');
  const am = spawnSync(
    'git',
    ['-C', repository.folder, '-c', 'user.name=C', '-c', 'user.email=c@d', 'am', '-q', file],
    {
      encoding: 'utf8',
    },
  );
  if (am.status !== 0) {
    spawnSync('git', ['-C', repository.folder, 'am', '--abort']);
    return null;
  }
  return repository.git('rev-parse', 'HEAD^{tree}');
}

let count = 0;
/** Reads an mbox as the builder does. */
async function read(mbox: string): Promise<{ mails: SeriesMails; patches: string; work: string }> {
  const work = join(folder, `work-${(count += 1)}`);
  mkdirSync(join(work, 'out'), { recursive: true });
  const file = join(work, '01-series.mbox');
  writeFileSync(file, mbox, 'latin1');
  const run = spawnSync(join(SCRIPTS, 'split-series.pl'), ['--mails', file, join(work, 'out')], { encoding: 'utf8' });
  const end = {
    code: run.status,
    exceeded: null,
    percent: 0,
    error: null,
    inputs: null,
    outputLines: run.stdout.trim().split('\n'),
    lastStderrLine: run.stderr.trim().split('\n').at(-1) ?? null,
  };
  const patches = join(work, 'patches');
  return { mails: await takeMails(end, join(work, 'out'), patches), patches, work };
}

/** The tree that the build scripts make on the base, as git names it. */
async function treeOfBuilder(mbox: string): Promise<string> {
  const { patches, work } = await read(mbox);
  const base = join(work, 'base');
  repository.git('checkout', '--quiet', '--force', 'base');
  cpSync(repository.folder, join(base, 'tree'), {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !path.endsWith('/.git'),
  });
  const tree = join(work, 'tree');
  cpSync(join(base, 'tree'), tree, { recursive: true, verbatimSymlinks: true });
  const script = `set -euo pipefail
here=$1 cache=$2 base=$2/base work=$2/scripts given_tree=$2/tree config=c base_key=k base_version=7 toolchain=t
mkdir -p "$work"; . "$here/report.sh"
fail_apply() { printf 'REFUSED %s\\n' "$*"; exit 10; }
"$here/split-series.pl" "$2/patches" "$work" 0 >"$work/index"
. "$here/tree.sh"
apply_series "$work/index"; take_tree; fill_tree; tree_is_clean`;
  const run = spawnSync('bash', ['-c', script, 'test', SCRIPTS, work], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`${run.stdout}\n${run.stderr}`);
  for (const name of ['.peerlab-base', '.peerlab-touched']) rmSync(join(tree, name));
  expect(readdirSync(patches).length).toBeGreaterThan(0);
  const index = ['--git-dir', join(repository.folder, '.git'), '--work-tree', tree];
  const env = { ...process.env, GIT_INDEX_FILE: join(work, 'index') };
  execFileSync('git', [...index, 'add', '--all', '--force', '.'], { cwd: tree, env });
  return execFileSync('git', [...index, 'write-tree'], { env, encoding: 'utf8' }).trim();
}

const edit = (): void => {
  const lines = Array.from({ length: 60 }, (_, line) => `int line_${line};\n`);
  lines[30] = 'int five = 5;\n\f\nint tab\t= 0x1b;\n';
  writeFileSync(at('mm/hmm.c'), lines.join(''));
};
/** Header and body of a mail, split where they are. */
function parts(mail: string): [string, string] {
  const end = mail.indexOf('\n\n') + 1;
  return [mail.slice(0, end), mail.slice(end + 1)];
}
const quoted = (text: string): string =>
  text.replaceAll(
    /[=\f\x1b\x80-\xff]/g,
    (byte) => `=${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64').replaceAll(/.{76}/g, '$&\n');
function encoded(mail: string, encoding: 'base64' | 'quoted-printable', extra = ''): string {
  const [header, body] = parts(mail);
  const coded = encoding === 'base64' ? base64(body) : quoted(body);
  return `${header}${extra}MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: ${encoding}\n\n${coded}\n`;
}
function multipart(mail: string, kind: string, type: string, encoding: 'base64' | '7bit'): string {
  const [header, body] = parts(mail);
  const [message = '', diff = ''] = body.split(/^---\n/m);
  const text = encoding === 'base64' ? base64(`---\n${diff}`) : `---\n${diff}`;
  return `${header}MIME-Version: 1.0
Content-Type: multipart/${kind}; boundary="=-frontier"

--=-frontier
Content-Type: text/plain; charset=UTF-8

${message}
--=-frontier
Content-Type: ${type}
Content-Disposition: inline; filename="x.patch"
Content-Transfer-Encoding: ${encoding}

${text}
--=-frontier--
`;
}

const MAILS: Record<string, () => string> = {
  'a plain mail': () => patchOf(edit),
  'a field with an odd name before a quoted-printable body': () =>
    encoded(patchOf(edit), 'quoted-printable', 'X-Spam_score: -1.1\nX-Spam.Bar: /\n'),
  'a base64 body': () => encoded(patchOf(edit), 'base64'),
  'a separator that a program quoted': () => {
    const [separator = '', ...rest] = patchOf(edit).split('\n');
    return [separator, `>${separator}`, ...rest].join('\n');
  },
  'no separator': () => patchOf(edit).split('\n').slice(1).join('\n'),
  'carriage returns of a mail program': () => patchOf(edit).replaceAll('\n', '\r\n'),
  'an attached patch in base64': () => multipart(patchOf(edit), 'mixed', 'text/x-patch', 'base64'),
  'a patch as a part of plain text': () => multipart(patchOf(edit), 'mixed', 'text/plain; charset=UTF-8', '7bit'),
  'words that look like a separator': () =>
    patchOf(edit, 'mm: a change\n\nFrom the PCIe specification, page 1024\nFrom here on: 12 of 2026'),
  'a message with a rule and names of files': () =>
    patchOf(edit, 'mm: a change\n\nBefore:\n\n  --- a/mm\n  +++ b/mm\n\nand so on.'),
  'an author and a subject that are encoded': () => patchOf(edit, 'mm: Jörg’s änderung\n\nWeil.'),
  'a mode that changes': () => patchOf(() => chmodSync(at('mm/run.sh'), 0o755)),
  'an empty new file': () => patchOf(() => writeFileSync(at('mm/fresh'), '')),
  'an empty file that goes': () => patchOf(() => rmSync(at('mm/empty'))),
  'a copy that is changed': () =>
    patchOf(() => {
      cpSync(at('mm/hmm.c'), at('mm/copy.c'));
      edit();
    }),
  'a rename': () =>
    patchOf(() => {
      cpSync(at('mm/hmm.c'), at('mm/other.c'));
      rmSync(at('mm/hmm.c'));
    }),
  'a name that git quotes, with a blank': () => patchOf(() => writeFileSync(at('mm/Jörg notes.txt'), 'a\nB\nc\n')),
  'a new name that git quotes': () => patchOf(() => writeFileSync(at('mm/tab\there "x"'), 'a\n')),
  'a file with carriage returns, encoded': () =>
    encoded(
      patchOf(() => writeFileSync(at('mm/crlf.c'), 'int one;\r\nint 2;\r\nint three;\r\n')),
      'base64',
    ),
  'bytes that are no UTF-8': () =>
    patchOf(() => writeFileSync(at('mm/latin.c'), Buffer.from('/* J\xf6rg */\nint b;\n', 'latin1'))),
  'lines that look like the header of a file': () =>
    patchOf(() => writeFileSync(at('mm/sql'), 'select 1;\n++ new comment\nselect 2;\n')),
  'a link': () => patchOf(() => symlinkSync('hmm.c', at('mm/link.c'))),
  'a binary file': () => patchOf(() => writeFileSync(at('mm/blob'), Buffer.from([0, 1, 2, 255, 254, 0]))),
  'no newline at the end': () => patchOf(() => writeFileSync(at('mm/sql'), 'select 1;\n-- old comment\nselect 3;')),
};

describe('a series by mail gives the tree of git am', () => {
  it.each(Object.keys(MAILS))('%s', async (name) => {
    const mbox = MAILS[name]?.() ?? '';
    const wanted = treeOfGit(mbox);
    expect(wanted).toMatch(/^[0-9a-f]{40}$/);
    expect(wanted).not.toBe(repository.git('rev-parse', 'base^{tree}'));
    expect(await treeOfBuilder(mbox)).toBe(wanted);
  });

  it('format=flowed', async () => {
    const [header, body] = parts(patchOf(edit));
    // Lines that begin with a blank get one more.
    const flowed = body.replaceAll(/^( |From |>)/gm, ' $1').replaceAll('-- \n', '-- \n');
    const mbox = `${header}MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8; format=flowed\n\n${flowed}`;
    const wanted = treeOfGit(mbox);
    expect(wanted).not.toBeNull();
    expect(await treeOfBuilder(mbox)).toBe(wanted);
  });

  it('several mails after each other', async () => {
    repository.git('checkout', '--quiet', '--force', '-B', 'work', 'base');
    edit();
    repository.commit('mm: one');
    writeFileSync(at('mm/fresh.c'), 'int fresh;\n');
    repository.commit('mm: two');
    const mbox = repository.git('format-patch', '--stdout', 'base');
    expect(await treeOfBuilder(`${mbox}\n`)).toBe(treeOfGit(`${mbox}\n`));
  });
});

describe('the mails of a thread', () => {
  const FROM = 'From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: A <a@b>\n';
  let number = 0;
  const mail = (subject: string, body?: string, id = (number += 1)): string =>
    `${FROM}Message-ID: <${id}@x>\nSubject: ${subject}\n\nText.\n---\n${body ?? `diff --git a/mm/f${id} b/mm/f${id}\n--- a/mm/f${id}\n+++ b/mm/f${id}\n@@ -1 +1 @@\n-a\n+b\n`}\n`;
  const letter = (subject: string, text = 'Text.'): string => mail(subject, `${text}\n`);

  it('leaves out replies, covers and what is there twice, by name', async () => {
    const twice = mail('[PATCH v2 1/2] mm: one', undefined, 500);
    const { mails, patches } = await read(
      letter('=?UTF-8?q?[PATCH_v2_0/2]_H=C3=A4?=') +
        twice +
        letter('Re: [PATCH v2 1/2] mm: one', '> --- a/x\n> +++ b/x\nLooks good.') +
        mail('Re: [PATCH v2 1/2] mm: one') +
        mail('[PATCH v2 2/2] mm: two') +
        twice,
    );
    expect(mails.leftOut).toEqual([
      '"[PATCH v2 0/2] Hä": the cover letter',
      '"Re: [PATCH v2 1/2] mm: one": a reply without a patch',
      '"[PATCH v2 1/2] mm: one": the same mail again',
      '"Re: [PATCH v2 1/2] mm: one": a reply; its diff is no part of the series',
    ]);
    expect(readdirSync(patches).toSorted()).toEqual(['0001-mm-one.patch', '0002-mm-two.patch']);
  });

  it.each([
    ['a cover that says 0 of 2', '[PATCH 0 of 2] all'],
    ['a cover without a number', '[ANNOUNCE] all'],
  ])('%s is left out', async (_, subject) => {
    const { mails } = await read(letter(subject) + mail('[PATCH 1 of 2] a') + mail('[PATCH 2 of 2] b'));
    expect(mails.leftOut).toHaveLength(1);
  });

  it('takes them in the order of their numbers', async () => {
    const { patches } = await read(mail('[PATCH 2/3] b') + mail('[PATCH 3/3] c') + mail('[PATCH 1/3] a'));
    expect(readdirSync(patches).toSorted()).toEqual(['0001-a.patch', '0002-b.patch', '0003-c.patch']);
  });

  it.each([
    [
      'two versions',
      ['[PATCH 1/2] a', '[PATCH v2 2/2] b'],
      /^mails of v1 and v2 are mixed: "\[PATCH 1\/2\] a" and "\[PATCH v2 2\/2\] b"$/,
    ],
    ['a whole older version', ['[PATCH] a', '[PATCH v2] a'], /^mails of v1 and v2 are mixed/],
    ['a hole', ['[PATCH 2/2] b'], /^"\[PATCH 2\/2\] b" is there, but 1\/2 is missing$/],
    ['a number twice', ['[PATCH 1/2] a', '[PATCH 1/2] x', '[PATCH 2/2] b'], /^1\/2 is there more than once: /],
  ])('with %s are refused by name', async (_, subjects, message) => {
    await expect(read(subjects.map((subject) => mail(subject)).join(''))).rejects.toThrow(message);
  });

  it('without any patch are refused, and so are paths that leave the tree', async () => {
    await expect(read(letter('hello'))).rejects.toThrow(/there is no patch in this text, only "hello"/);
    for (const name of ['../../etc/passwd', '"b/\\056\\056/x"'])
      await expect(
        read(mail('x', `--- /dev/null\n+++ b/${name}\n@@ -0,0 +1 @@\n+a\n`.replace('b/"', '"'))),
      ).rejects.toThrow(/leaves the tree/);
  });

  it('say what they stand on', async () => {
    const base = 'a'.repeat(40);
    const one = await read(mail('[PATCH] a'));
    const [id = ''] = one.mails.patchIds;
    const two = await read(
      letter(
        '[PATCH 0/1] all',
        `base-commit: ${base}\nprerequisite-patch-id: ${id}\nprerequisite-patch-id: ${'c'.repeat(40)}`,
      ) + mail('[PATCH 1/1] b'),
    );
    expect(two.mails.baseCommit).toBe(base);
    expect(unmetBases([one.mails, two.mails], base)).toEqual([
      `the prerequisite patch ${'c'.repeat(40)} is not among the series before it`,
    ]);
    expect(unmetBases([two.mails], null)).toHaveLength(3);
  });
});
