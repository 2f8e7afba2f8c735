import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LINE_COUNTS_FILE, LineCounts } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_PACE, startFakeLab, type FakeLab } from '../fake/fake-lab.js';
import { tarEntry, tarOf } from '../fake/tar-bytes.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { AttemptContext } from './attempt-context.js';
import { countersScript, readPrinted } from './line-counts.js';
import { runTestJob } from './test-job.js';

const SAMPLES = join(import.meta.dirname, '../../src/coverage/samples');
const sample = (name: string): Buffer => readFileSync(join(SAMPLES, name));
/** A series that adds the samples' sources, a file that is not built, and a header that nothing includes. */
const DIFF = ['branches.c', 'shapes.h', 'not-built.c']
  .map((name) => {
    const lines = (name === 'not-built.c' ? 'int other;\n' : sample(name).toString()).trimEnd().split('\n');
    return `--- /dev/null\n+++ b/${name}\n@@ -0,0 +1,${lines.length} @@\n${lines.map((line) => `+${line}\n`).join('')}`;
  })
  .join('');
const COUNTING = {
  'series.diff': Buffer.from(DIFF),
  'gcov-notes.tar': tarOf(tarEntry({ name: 'branches.gcno' }, sample('branches-O2.gcno'))),
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'line-counts-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('what the script prints, by a shell', () => {
  const printed = (): string =>
    spawnSync('/bin/sh', ['-c', countersScript(join(folder, 'gcov'))], { encoding: 'utf8', timeout: 20_000 }).stdout;

  it('is every file of counters whole', () => {
    mkdirSync(join(folder, 'gcov', 'cache/tree/mm'), { recursive: true });
    writeFileSync(join(folder, 'gcov', 'cache/tree/mm/hmm.gcda'), sample('branches-O0.gcda'));
    writeFileSync(join(folder, 'gcov', 'cache/tree/mm/memory.gcda'), '');
    writeFileSync(join(folder, 'gcov', 'reset'), 'no counters');
    const files = readPrinted(printed());
    expect([...files.keys()].toSorted()).toEqual(['cache/tree/mm/hmm.gcda', 'cache/tree/mm/memory.gcda']);
    expect(files.get('cache/tree/mm/hmm.gcda')).toEqual(sample('branches-O0.gcda'));
    expect(files.get('cache/tree/mm/memory.gcda')).toHaveLength(0);
  });

  it('is an error where there is no gcov, and where the end is missing', () => {
    expect(() => readPrinted(printed())).toThrow('no counters in its debugfs');
    mkdirSync(join(folder, 'gcov'));
    writeFileSync(join(folder, 'gcov', 'a.gcda'), 'abc');
    const whole = printed();
    expect(readPrinted(whole).size).toBe(1);
    expect(() => readPrinted(whole.slice(0, whole.indexOf('@end')))).toThrow('incomplete');
    expect(() => readPrinted(whole.replace('@end 1', '@end 2'))).toThrow('incomplete');
  });
});

describe('an attempt of a kernel that counts', () => {
  let lab: FakeLab;
  let spool: AttemptSpool;
  afterEach(async () => {
    await lab.fake.stop();
    spool.close();
  });

  /** What the attempt stored, and what it says in its own log about it. */
  async function counted(printed: string | null, more: Record<string, Buffer> = COUNTING) {
    lab = await startFakeLab(folder, { more });
    lab.fake.answers.set('line-counters', (channel) => {
      channel.write(printed ?? '');
      channel.exit(0);
    });
    const assignment = lab.assign();
    spool = AttemptSpool.create(join(folder, 'spool'), assignment);
    const { signal } = new AbortController();
    const lease = { check: () => undefined };
    await runTestJob(
      new AttemptContext(assignment, assignment.work, lab.machine, lab.bundles, spool, FAKE_PACE, signal, lease),
    );
    const entries = spool.file('events').read(0, 10_000, 1e9);
    const events = entries.flatMap((entry) => ('event' in entry ? [entry.event] : []));
    const [file] = events.flatMap((event) => (event.type === 'file' ? [event.file] : []));
    const lines = spool.file('agent').read(0, 10_000, 1e9);
    const notes = lines
      .flatMap((entry) => ('text' in entry ? [entry.text] : []))
      .filter((text) => text.includes('of the series'));
    const finished = events.flatMap((event) => (event.type === 'finished' ? [event.failure] : []));
    const stored = file === undefined ? null : LineCounts.parse(JSON.parse(String(lab.stored.get(file.sha256))));
    return { file, stored, notes, failure: finished[0], asked: lab.fake.commands.includes('line-counters') };
  }
  const print = (name: string, bytes: Buffer): string => `@ ./${name}\n${bytes.toString('base64')}\n@end 1\n`;

  it('stores which added lines ran; a file that is not built is not there', async () => {
    const { file, stored, notes, failure } = await counted(
      print('cache/kernel/tree-coverage-0/branches.gcda', sample('branches-O2.gcda')),
    );
    expect(file).toMatchObject({ suite: 'farm', name: LINE_COUNTS_FILE });
    expect(stored?.files.map(({ path }) => path)).toEqual(['branches.c', 'shapes.h']);
    expect(stored?.files[0]?.ran).toContain(7);
    expect(stored?.files[0]?.missed).toEqual([15, 32, 33, 38, 39, 44, 46]);
    expect(stored?.files[1]).toEqual({ path: 'shapes.h', ran: [3, 5], missed: [] });
    expect(notes).toEqual(['collect: 19 of 26 lines of the series with code ran (1 objects count)']);
    expect(failure).toBeNull();
  });

  it('counts nothing as run of a module that was never loaded', async () => {
    const { stored } = await counted('@end 0\n');
    expect(stored?.files.map(({ ran }) => ran)).toEqual([[], []]);
    expect(stored?.files[0]?.missed).toContain(7);
  });

  it.each([
    ['counters that were cut', '@ ./branches.gcda\nAAAA\n', 'incomplete'],
    ['counters of another kernel', print('branches.gcda', sample('branches-O0.gcda')), 'another compilation'],
    ['counters of two trees', `@ ./a/branches.gcda\n\n@ ./b/branches.gcda\n\n@end 2\n`, 'two objects'],
    ['no counters', print('branches.gcda', Buffer.from('whatever')), 'does not begin with gcda'],
  ])('stores nothing of %s, says why, and keeps its results', async (_, printed, why) => {
    const { file, notes, failure } = await counted(printed);
    expect(file).toBeUndefined();
    expect(notes).toEqual([expect.stringContaining(why)]);
    expect(failure).toBeNull();
  });

  it('asks no other kernel', async () => {
    expect((await counted(null, {})).asked).toBe(false);
  });
});
