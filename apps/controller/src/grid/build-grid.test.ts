import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { text as textColumn } from '../platform/database/row-shape.js';
import { insertEvidence, type SampleEvidence } from '../testing/evidence.js';
import { insertKernels } from '../testing/evidence-kernels.js';
import { STORY_TESTS } from '../testing/evidence-story.js';
import { TestFarm } from '../testing/farm.js';
import { PackingScheduler } from '../verdicts/packing.scheduler.js';
import { rankOf } from '../verdicts/verdict-letters.js';
import { foldRows } from './fold-rows.js';
import { newestLines, type KernelLine } from './kernel-lines.js';
import { beyondSql, kernelsSql } from './tested-kernels.js';

const RUNS = 8;

const line = (kernel: number, verdicts: string, tests = BOTH): KernelLine => ({
  kernel,
  suite: 's',
  tests,
  positions: tests.map((_, place) => place),
  verdicts,
  newest: new Date(0),
});
const BOTH = ['early', 'late'];

describe('folding', () => {
  it('takes the worst verdict of the combinations and says how many have it where they disagree', () => {
    // One line has several combinations, or several lines one each.
    const lines = [line(0, 'PPPPPPFP'), line(0, 'FP'), line(2, 'SP'), line(2, 'PP')];
    const { rows, differs } = foldRows(3, lines);
    expect(rows).toEqual([
      { suite: 's', test: 'early', verdicts: 'F.P' },
      { suite: 's', test: 'late', verdicts: 'P.P' },
    ]);
    expect(differs).toEqual([
      [0, 0, 2, 5],
      [0, 2, 1, 2],
    ]);
  });
  it('takes a suite of the newest attempt of its combination that has it', () => {
    const kernels = [
      {
        attempts: [
          { combination: 'c', attempt: 'new' },
          { combination: 'c', attempt: 'old' },
          { combination: 'd', attempt: 'other' },
        ],
      },
    ];
    const found = [
      { ...line(0, 'PP'), attemptId: 'old' },
      { ...line(0, 'F', ['only']), attemptId: 'old', suite: 'second' },
      { ...line(0, 'SS'), attemptId: 'other' },
      { ...line(0, 'XX'), attemptId: 'new' },
    ];
    expect(newestLines(kernels, found).map(({ suite, verdicts }) => `${suite} ${verdicts}`)).toEqual([
      's XX',
      'second F',
      's SS',
    ]);
  });
  it('keeps the order of the suites, and a test that one kernel alone has', () => {
    const { rows, notes } = foldRows(2, [
      { ...line(0, 'F', ['old']), positions: [7], reasons: { 0: 'why' } },
      line(1, 'PP'),
    ]);
    expect(rows.map(({ test, verdicts }) => `${test} ${verdicts}`)).toEqual(['early .P', 'late .P', 'old F.']);
    expect(notes).toEqual([{ row: 2, column: 0, reason: 'why' }]);
  });
});

describe('the grid by kernel', () => {
  let farm: TestFarm;
  let evidence: SampleEvidence;
  beforeAll(async () => {
    farm = await TestFarm.start();
    evidence = await insertEvidence(farm.sql, RUNS);
  });
  afterAll(() => farm?.stop());

  const read = (combination?: string) =>
    farm.call('getBuildGrid', { query: combination === undefined ? {} : { combination } });
  const rowOf = (grid: Awaited<ReturnType<typeof read>>, test: string) => grid.rows.find((row) => row.test === test);
  /** Letter by suite, test and kernel, without those that never ran. */
  const cellsOf = ({ rows, columns }: Awaited<ReturnType<typeof read>>): Record<string, string> =>
    Object.fromEntries(
      rows.flatMap(({ suite, test, verdicts }) =>
        columns.flatMap(({ key }, column) =>
          verdicts[column] === '.' ? [] : [[`${suite} ${test} ${key}`, verdicts[column] ?? '']],
        ),
      ),
    );
  const worstOf = (all: Record<string, string>[]): Record<string, string> => {
    const worst: Record<string, string> = {};
    for (const [cell, letter] of all.flatMap((cells) => Object.entries(cells))) {
      const known = worst[cell];
      if (known === undefined || rankOf(letter.charCodeAt(0)) < rankOf(known.charCodeAt(0))) worst[cell] = letter;
    }
    return worst;
  };

  it('has one column for each kernel, those of one name together, newest first, with its newest build', async () => {
    const grid = await read(evidence.hardware.THRU_HOST_BRIDGE.combination);
    expect(grid.columns.map(({ release }) => release)).toEqual([
      '7.3.4-dma-alias-v4',
      '7.3.4-dma-alias-v3',
      '7.3.4-dma-alias-v2',
      '7.3.4-dma-alias-v1',
      '7.3.4-base',
    ]);
    expect(grid.columns.map(({ run }) => run.name)).toEqual([8, 6, 4, 2, 8].map((take) => `dma_alias, take ${take}`));
    expect(grid.columns[0]).toMatchObject({
      baseVersion: '7.3.4',
      combinations: 1,
      features: ['dma_alias'],
      patches: 0,
    });
    expect(rowOf(grid, 'thp_alias')?.verdicts).toBe('PPFFP');
    // The base ran eight times here: five of them are not in its cells, and the answer says so.
    expect(grid.columns.map(({ isCut }) => isCut)).toEqual([false, false, false, false, true]);
    expect((await read('all')).columns.map(({ isCut }) => isCut)).toEqual([false, false, false, false, true]);
    expect(
      grid.notes.find(({ row, column }) => grid.rows[row]?.test === 'thp_alias' && column === 2)?.reason,
    ).toContain('expected 0x5a01');
    expect([grid.older.count, grid.newer.count, grid.pending, grid.rows.length]).toEqual([0, 0, 0, STORY_TESTS.length]);
    const build = await farm.call('getBuild', { params: { build: grid.columns[0]?.build.id ?? '' } });
    expect(build).toMatchObject({ name: 'dma-alias', runId: evidence.runs[7] });
  });

  it('takes by itself the combination with the newest result', async () => {
    const { combination } = evidence.hardware.NOT_SUPPORTED;
    await farm.sql.run('update job set ended_at = clock_timestamp() where combination = $1', [combination]);
    const grid = await read();
    expect(grid.combination?.hash).toBe(combination);
    expect(grid.combinations).toHaveLength(3);
  });

  it('folds all combinations, and gives the result of each with its attempt', async () => {
    const grid = await read('all');
    expect(grid.combination).toBeNull();
    expect(grid.columns.map(({ combinations }) => combinations)).toEqual([3, 3, 3, 3, 3]);
    expect(rowOf(grid, 'fork_while_mapped')?.verdicts).toBe('XPIPP');
    const row = grid.rows.findIndex(({ test }) => test === 'fork_while_mapped');
    expect(grid.differs.filter(([at]) => at === row)).toEqual([
      [row, 0, 1, 3],
      [row, 2, 1, 3],
    ]);
    const results = await farm.call('getKernelResults', {
      params: { key: grid.columns[0]?.key ?? '' },
      query: { suite: 'p2p-functional', test: 'fork_while_mapped' },
    });
    expect(results.map(({ verdict, combination }) => [verdict, combination.identity.pathKind])).toEqual([
      ['crash', 'BUS_ADDR'],
      ['pass', 'NOT_SUPPORTED'],
      ['pass', 'THRU_HOST_BRIDGE'],
    ]);
    expect(results[0]).toMatchObject({
      attemptId: evidence.attempt(7, 'dma-alias', 'BUS_ADDR'),
      reason: expect.stringContaining('KASAN'),
      run: { id: evidence.runs[7] },
    });
  });

  it('is the same whether all, some or none of the attempts are packed', async () => {
    const { rows, differs } = await read('all');
    await farm.sql.run('insert into unpacked_attempt select id from attempt on conflict do nothing');
    await farm.server.app.get(PackingScheduler).tick();
    expect(await read('all')).toMatchObject({ rows, differs, pending: 0 });
    await farm.sql.run(`delete from attempt_verdicts where attempt_id::text < '8'`);
    expect(await read('all')).toMatchObject({ rows, differs, pending: 0 });
    await farm.sql.run('delete from attempt_verdicts');
    expect(await read('all')).toMatchObject({ rows, differs, pending: 0 });
  });

  it('shows a test as flaky that passed and failed on one kernel and combination, and says how often', async () => {
    const { combination } = evidence.hardware.NOT_SUPPORTED;
    const grid = await read(combination);
    const column = grid.columns.findIndex(({ release }) => release === '7.3.4-dma-alias-v3');
    const row = grid.rows.findIndex(({ test }) => test === 'mixed_ranges');
    expect(grid.rows[row]?.verdicts[column]).toBe('~');
    expect(grid.notes.find((note) => note.row === row && note.column === column)?.reason).toBe(
      'passed 1 of 2: range 3: 40 pages expected, 39 seen',
    );
    const results = await farm.call('getKernelResults', {
      params: { key: grid.columns[column]?.key ?? '' },
      query: { suite: 'p2p-functional', test: 'mixed_ranges' },
    });
    expect(results.find((each) => each.combination.hash === combination)).toMatchObject({
      verdict: 'flaky',
      reason: 'passed 1 of 2: range 3: 40 pages expected, 39 seen',
      attemptId: evidence.attempt(5, 'dma-alias', 'NOT_SUPPORTED'),
    });
    // The lab failed once there: that says nothing of the kernel and contradicts nothing.
    const older = grid.columns.findIndex(({ release }) => release === '7.3.4-dma-alias-v2');
    expect(grid.rows[row]?.verdicts[older]).toBe('I');
  });

  it('of a combination that is not there is empty, and of a test that is not there, too', async () => {
    const grid = await read('0'.repeat(64));
    expect([grid.columns, grid.rows, grid.combination]).toEqual([[], [], null]);
    expect(grid.combinations).toHaveLength(3);
    expect((await farm.request('getBuildGrid', { query: { combination: 'nonsense' } })).status).toBe(400);
    const params = { key: '0'.repeat(64) };
    expect(await farm.call('getKernelResults', { params, query: { suite: 's', test: 't' } })).toEqual([]);
  });

  it('a run with some of the suites hides nothing that an older one said of the others', async () => {
    const { combination } = evidence.hardware.THRU_HOST_BRIDGE;
    const attempt = evidence.attempt(7, 'dma-alias', 'THRU_HOST_BRIDGE');
    const older = evidence.attempt(6, 'dma-alias', 'THRU_HOST_BRIDGE');
    await farm.sql.run(`update result set suite = 'other' where attempt_id = $1`, [attempt]);
    await farm.sql.run(`update result set verdict = 'tainted' where attempt_id = $1 and test = 'thp_alias'`, [older]);
    await farm.sql.run('delete from attempt_verdicts where attempt_id in ($1, $2)', [attempt, older]);
    const grid = await read(combination);
    expect(
      grid.rows.filter(({ test }) => test === 'thp_alias').map(({ suite, verdicts }) => [suite, verdicts]),
    ).toEqual(
      expect.arrayContaining([
        ['p2p-functional', 'TPFFP'],
        ['other', 'P....'],
      ]),
    );
    const hashes = grid.combinations.map(({ hash }) => hash);
    const all = await read('all');
    expect(all.rows.filter(({ suite }) => suite === 'other').map(({ test }) => test)).toEqual(STORY_TESTS);
    expect(cellsOf(all)).toEqual(worstOf((await Promise.all(hashes.map(read))).map(cellsOf)));
    await farm.sql.run(`update result set suite = 'p2p-functional' where attempt_id = $1`, [attempt]);
    await farm.sql.run(`update result set verdict = 'pass' where attempt_id = $1 and test = 'thp_alias'`, [older]);
    await farm.sql.run('delete from attempt_verdicts where attempt_id in ($1, $2)', [attempt, older]);
  });

  it('counts flips on one kernel only', async () => {
    const { tests, attempts } = await farm.call('getFlakiness', { query: {} });
    expect(attempts).toBeGreaterThan(0);
    const [first] = tests;
    // One kernel of the series passes and fails in turn; thp_alias was fixed by another kernel, which is no flip.
    expect(first).toMatchObject({ suite: 'p2p-functional', test: 'mixed_ranges' });
    expect(first?.flips).toBe(3);
    expect(tests.find(({ test }) => test === 'thp_alias')).toMatchObject({ flips: 0 });
    const { combination } = evidence.hardware.BUS_ADDR;
    const there = await farm.call('getFlakiness', { query: { combination } });
    expect(there.tests.every(({ flips }) => flips === 0)).toBe(true);
  });
});

describe('many kernels', () => {
  const KERNELS = 120;
  let farm: TestFarm;
  let evidence: SampleEvidence;
  beforeAll(async () => {
    farm = await TestFarm.start();
    evidence = await insertEvidence(farm.sql, 1);
    await insertKernels(farm.sql, { kernels: KERNELS, runs: 10, tests: 40, newer: true });
  });
  afterAll(() => farm?.stop());

  it('shows the newest and says how many older ones there are', async () => {
    const grid = await farm.call('getBuildGrid', { query: { combination: evidence.hardware.BUS_ADDR.combination } });
    expect(grid.columns).toHaveLength(30);
    // Those of the story are older still.
    expect(grid.older.count).toBe(KERNELS - 30 + 2);
    expect(grid.newer).toEqual({ count: 0, before: null });
    expect(grid.columns[0]?.release).toBe(`7.3.4-filler-${KERNELS}`);
    expect(grid.rows).toHaveLength(40);
  });

  it('is read page by page to the oldest and back, each kernel once', async () => {
    const { combination } = evidence.hardware.BUS_ADDR;
    const page = (before: string | null) =>
      farm.call('getBuildGrid', { query: { combination, ...(before === null ? {} : { before }) } });
    const pages = [await page(null)];
    for (let last = pages[0]; last !== undefined && last.older.before !== null; last = pages.at(-1)) {
      pages.push(await page(last.older.before));
    }
    expect(pages.map(({ columns }) => columns.length)).toEqual([30, 30, 30, 30, 2]);
    expect(pages.map(({ newer, older }) => [newer.count, older.count])).toEqual([
      [0, 92],
      [30, 62],
      [60, 32],
      [90, 2],
      [120, 0],
    ]);
    const releases = pages.flatMap(({ columns }) => columns.map(({ release }) => release));
    expect(new Set(releases).size).toBe(KERNELS + 2);
    expect(pages.at(-1)?.columns.map(({ release }) => release)).toEqual(['7.3.4-dma-alias-v1', '7.3.4-base']);
    for (const [index, { newer }] of pages.entries()) {
      if (index < 2) expect(newer.before).toBeNull();
      else expect((await page(newer.before)).columns).toEqual(pages[index - 1]?.columns);
    }
  });

  it('before all kernels is empty and leads back; a cursor that is none is refused', async () => {
    const { combination } = evidence.hardware.BUS_ADDR;
    const query = { combination, before: `2001-01-01T00:00:00Z~${'0'.repeat(64)}` };
    const { columns, newer, older } = await farm.call('getBuildGrid', { query });
    expect([columns, newer.count, older]).toEqual([[], KERNELS + 2, { count: 0, before: null }]);
    const oldest = await farm.call('getBuildGrid', { query: { combination, before: newer.before ?? '' } });
    expect(oldest.columns).toHaveLength(30);
    expect(oldest.older.count).toBe(0);
    for (const before of ['nonsense', '2001-01-01T00:00:00Z~key', `0000-01-01T00:00:00Z~${'0'.repeat(64)}`]) {
      expect((await farm.request('getBuildGrid', { query: { before } })).status, before).toBe(400);
    }
  });

  it('reads no more unpacked attempts than an answer can wait for, names the rest, and packs none itself', async () => {
    const first = await farm.call('getBuildGrid', { query: { combination: 'all' } });
    expect(first.pending).toBeGreaterThan(0);
    expect((await farm.call('getBuildGrid', { query: { combination: 'all' } })).pending).toBe(first.pending);
    await farm.sql.run('insert into unpacked_attempt select id from attempt on conflict do nothing');
    await farm.server.app.get(PackingScheduler).tick();
    const whole = await farm.call('getBuildGrid', { query: { combination: 'all' } });
    expect(whole.pending).toBe(0);
    expect(whole.rows.every(({ verdicts }) => verdicts === 'P'.repeat(30))).toBe(true);
  });

  it('reads along its indexes', async () => {
    const { combination } = evidence.hardware.BUS_ADDR;
    const cursor = { at: new Date().toISOString(), id: '0'.repeat(64) };
    for (const { text, values } of [
      kernelsSql(combination, null),
      kernelsSql(combination, cursor),
      beyondSql('older', combination, cursor),
      beyondSql('newer', combination, cursor),
    ]) {
      const rows = await farm.sql.transaction(async (tx) => {
        // Of a dozen kernels sorting costs as much as the index; what counts is that the index serves the order.
        await tx.run('set local enable_sort = off');
        return tx.rows({ 'QUERY PLAN': textColumn }, `explain analyze ${text}`, values);
      });
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      for (const index of ['bundle_newest', 'build_bundle', 'job_build', 'attempt_job_number']) {
        expect(plan).toContain(index);
      }
      expect(plan).not.toMatch(/Seq Scan on (result|job|attempt|build)\b/);
    }
  });
});
