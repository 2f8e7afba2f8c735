import { foldBoots, reportOfRun, type Comparison } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertBoots, insertEvidence, type SampleEvidence } from '../testing/evidence.js';
import { STORY_SUITE } from '../testing/evidence-story.js';
import { TestFarm } from '../testing/farm.js';
import { judgedCombinations } from './grid-noise.js';

const BOOTS = 5;
const REPEATED = 1;
const TEST = 'alias_read';

describe('the grid of a run with repeat', () => {
  let farm: TestFarm;
  let evidence: SampleEvidence;
  let boots: Map<string, string[]>;
  beforeAll(async () => {
    farm = await TestFarm.start();
    evidence = await insertEvidence(farm.sql, 2);
    boots = await insertBoots(farm.sql, REPEATED, 'BUS_ADDR', BOOTS);
    await farm.sql.run(
      `update result set verdict = 'fail', reason = 'byte 8 differs'
       where attempt_id = any($1) and suite = $2 and test = $3`,
      [boots.get('dma-alias')?.slice(1, 4), STORY_SUITE, TEST],
    );
  });
  afterAll(() => farm?.stop());

  const run = (): string => evidence.runs[REPEATED] ?? '';
  const ofKind = <T extends { combination: { identity: { pathKind: string } } }>(columns: readonly T[]): T[] =>
    columns.filter(({ combination }) => combination.identity.pathKind === 'BUS_ADDR');

  it.each(['of the run', 'of the newest jobs'])(
    '%s has every boot, numbered, beside the others of its kernel',
    async (which) => {
      const { columns } = await farm.call('getGrid', { query: which === 'of the run' ? { run: run() } : {} });
      expect(ofKind(columns).map(({ build, boot }) => [build.name, boot?.number, boot?.of])).toEqual(
        ['base', 'dma-alias'].flatMap((build) => [1, 2, 3, 4, 5].map((number) => [build, number, BOOTS])),
      );
      const others = columns.filter((column) => !ofKind(columns).includes(column));
      expect(others.map(({ boot }) => boot)).toEqual(others.map(() => null));
    },
  );

  it('folds to a column for each kernel, which says how many boots failed', async () => {
    const { grid, bootsOf } = foldBoots(await farm.call('getGrid', { query: { run: run() } }));
    const column = grid.columns.findIndex(
      ({ build }, at) => build.name === 'dma-alias' && bootsOf[at]?.length === BOOTS,
    );
    const row = grid.rows.findIndex(({ suite, test }) => suite === STORY_SUITE && test === TEST);
    expect(ofKind(grid.columns)).toHaveLength(2);
    expect(grid.rows[row]?.verdicts[column]).toBe('~');
    expect(grid.notes.find((note) => note.row === row && note.column === column)?.reason).toBe(
      'passed 2 of 5: byte 8 differs',
    );
  });

  it('has the noise of the combinations whose boots may have a verdict, and judges as the comparison does', async () => {
    const [grid, detail, fleet, comparison] = await Promise.all([
      farm.call('getGrid', { query: { run: run(), cells: 'all' } }),
      farm.call('getRun', { params: { run: run() } }),
      farm.call('getFleet', {}),
      farm.call('getCompare', { query: { a: run() } }),
    ]);
    const { combination: hash, machine } = evidence.hardware.BUS_ADDR;
    expect(judgedCombinations(grid.columns)).toEqual([hash]);
    for (const { noise } of grid.metrics) {
      expect(Object.keys(noise)).toEqual([hash]);
      expect(noise[hash]?.boots.freedom).toBeGreaterThanOrEqual(2 * (BOOTS - 1));
    }
    const at = comparison.combinations.findIndex(({ combination }) => combination.hash === hash);
    const compared = saysByName(comparison.metrics.filter(({ combination }) => combination === at));
    const reported = reportOfRun(detail, grid, fleet.machines).machines.find((each) => each.machine === machine);
    const patched = reported?.builds.indexOf('dma-alias') ?? -1;
    expect(
      Object.fromEntries(reported?.rows.map(({ name, values }) => [name, values[patched]?.says?.says]) ?? []),
    ).toEqual(compared);
    expect(new Set(Object.values(compared))).toEqual(new Set(['better', 'unclear']));
  });

  it('is told on the run and on the attempt, too', async () => {
    const { jobViews } = await farm.call('getRun', { params: { run: run() } });
    expect(jobViews.filter(({ boot }) => boot?.number === 2)).toHaveLength(2);
    const second = boots.get('base')?.[1] ?? '';
    expect(await farm.call('getAttempt', { params: { attempt: second } })).toMatchObject({
      boot: { number: 2, of: BOOTS },
    });
    const [first = ''] = evidence.runs;
    expect((await farm.call('getRun', { params: { run: first } })).jobViews.every(({ boot }) => boot === null)).toBe(
      true,
    );
  });
});

const saysByName = (metrics: Comparison['metrics']): Record<string, string> =>
  Object.fromEntries(metrics.map(({ name, says }) => [name, says]));
