import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertEvidence, type SampleEvidence } from '../testing/evidence.js';
import { STORY_BUILDS, STORY_KINDS, storyMetrics } from '../testing/evidence-story.js';
import { TestFarm } from '../testing/farm.js';
import { quartiles } from '../verdicts/statistics.js';

const RUNS = 3;
const NEWEST = RUNS - 1;

describe('the grid of the newest jobs', () => {
  let farm: TestFarm;
  let evidence: SampleEvidence;
  beforeAll(async () => {
    farm = await TestFarm.start();
    evidence = await insertEvidence(farm.sql, RUNS);
  });
  afterAll(() => farm?.stop());

  const read = () => farm.call('getGrid', { query: {} });
  /** Run and build of every column, by path kind; "before" stands left of "after". */
  const taken = async (): Promise<Record<string, string[]>> => {
    const names = new Map(
      STORY_KINDS.flatMap((kind) =>
        STORY_BUILDS.flatMap((build) =>
          evidence.runs.map((_, run): [string, string] => [evidence.attempt(run, build, kind), `${run} ${build}`]),
        ),
      ),
    );
    const byKind: Record<string, string[]> = {};
    for (const { combination, attemptId } of (await read()).columns) {
      (byKind[combination.identity.pathKind] ??= []).push(names.get(attemptId ?? '') ?? 'unknown');
    }
    return byKind;
  };
  const all = { BUS_ADDR: ['2 base', '2 dma-alias'], THRU_HOST_BRIDGE: ['2 base', '2 dma-alias'] };

  it('has a column for each combination and build name, those of a combination side by side', async () => {
    expect(await taken()).toEqual({ ...all, NOT_SUPPORTED: ['2 base', '2 dma-alias'] });
    const { columns } = await read();
    expect(columns.map(({ combination }) => combination.label)).toEqual(
      columns.map(({ combination }) => combination.label).toSorted(),
    );
    expect(columns[0]).toMatchObject({
      runId: evidence.runs[NEWEST],
      runName: `dma_alias, take ${RUNS}`,
      state: 'ended',
      build: { name: 'base', features: [], config: expect.any(String), release: '7.3.4-base' },
    });
  });

  it('passes over jobs that were canceled, that run or that never came to an attempt', async () => {
    const { combination, machine } = evidence.hardware.NOT_SUPPORTED;
    const job = `select id from job where build_name = 'base' and combination = '${combination}' and machine = '${machine}'
      and run_id = $1`;
    await farm.sql.run(`update job set verdict = 'canceled' where id in (${job})`, [evidence.runs[NEWEST]]);
    expect(await taken()).toEqual({ ...all, NOT_SUPPORTED: ['1 base', '2 dma-alias'] });
    await farm.sql.run(`update job set state = 'queued' where id in (${job})`, [evidence.runs[1]]);
    expect(await taken()).toEqual({ ...all, NOT_SUPPORTED: ['0 base', '2 dma-alias'] });
    await farm.sql.run(
      `insert into job (id, run_id, build_id, build_name, position, kind, state, machine, combination, verdict, ended_at)
       select gen_random_uuid(), run_id, build_id, build_name, position, kind, state, machine, combination, 'infra',
         clock_timestamp() from job where id in (${job})`,
      [evidence.runs[0]],
    );
    expect(await taken()).toEqual({ ...all, NOT_SUPPORTED: ['0 base', '2 dma-alias'] });
  });

  it('shows the newest attempt of a job', async () => {
    const [first] = (await read()).columns;
    await farm.sql.run(
      `insert into attempt (id, job_id, number, state, started_at, ended_at)
       select gen_random_uuid(), job_id, number + 1, state, started_at, ended_at from attempt where id = $1`,
      [first?.attemptId],
    );
    const [again] = (await read()).columns;
    expect(again?.jobId).toBe(first?.jobId);
    expect(again?.attemptId).not.toBe(first?.attemptId);
    await farm.sql.run('delete from attempt where id = $1', [again?.attemptId]);
    expect((await read()).columns[0]?.attemptId).toBe(first?.attemptId);
  });

  it('shows one kernel once, however the runs named it: the newest, with its other names', async () => {
    const [run, before] = [evidence.runs[NEWEST], evidence.runs[NEWEST - 1]];
    await farm.sql.run(`update job set build_name = 'renamed' where run_id = $1 and build_name = 'dma-alias'`, [
      before,
    ]);
    await farm.sql.run(`update build set name = 'renamed' where run_id = $1 and name = 'dma-alias'`, [before]);
    await farm.sql.run(
      `update build b set bundle_key = newest.bundle_key from build newest
       where b.run_id = $1 and b.name = 'renamed' and newest.run_id = $2 and newest.name = 'dma-alias'`,
      [before, run],
    );
    const { columns } = await read();
    expect(columns).toHaveLength(2 * STORY_KINDS.length);
    const series = columns.filter(({ build }) => build.name !== 'base');
    expect(series.map(({ build, runId }) => [build.name, build.aliases, runId])).toEqual(
      STORY_KINDS.map(() => ['dma-alias', ['renamed'], run]),
    );
    // A run that asked for both has both.
    const ofRun = await farm.call('getGrid', { query: { run: before } });
    expect(ofRun.columns.map(({ build }) => build.aliases)).toEqual(ofRun.columns.map(() => []));
  });

  it('says which columns are busy, and what a job that has not ended will run', async () => {
    const base = await read();
    const { combination, machine } = evidence.hardware.BUS_ADDR;
    const add = (build: string, state: string) =>
      farm.sql.run(
        `insert into job (id, run_id, build_id, build_name, position, kind, state, machine, combination, path)
         select gen_random_uuid(), run_id, build_id, $1, 99, kind, $2, machine, combination, path from job
         where build_name = 'base' and combination = $3 and machine = $4 and run_id = $5`,
        [build, state, combination, machine, evidence.runs[NEWEST]],
      );
    await add('base', 'running');
    await add('never-tested', 'queued');
    const { columns, rows } = await read();
    expect(columns).toHaveLength(base.columns.length + 1);
    const own = columns.filter((column) => column.combination.hash === combination);
    expect(own.map(({ build, state, busy }) => [build.name, state, busy?.state])).toEqual([
      ['base', 'ended', 'running'],
      // Named after its build, which the other one tested, too.
      ['base', 'queued', undefined],
      ['dma-alias', 'ended', undefined],
    ]);
    const added = columns.findIndex(({ state }) => state === 'queued');
    expect(columns[added]).toMatchObject({ attemptId: null, verdict: null, busy: null });
    const letters = new Set(rows.map(({ suite, verdicts }) => `${suite} ${verdicts[added]}`));
    expect(letters).toContain('p2p-functional :');
    await farm.sql.run('delete from job where position = 99');
  });

  it('has the figures of each column', async () => {
    const { columns, metrics } = await read();
    const column = columns.findIndex(
      ({ attemptId }) => attemptId === evidence.attempt(NEWEST, 'dma-alias', 'BUS_ADDR'),
    );
    const told = storyMetrics({ run: NEWEST, build: 'dma-alias', kind: 'BUS_ADDR' });
    expect(metrics.map(({ name }) => name)).toEqual(told.map(({ name }) => name).toSorted());
    for (const { name, unit, better, samples } of told) {
      const row = metrics.find((metric) => metric.name === name);
      expect(row).toMatchObject({ unit, better, suite: 'p2p-perf' });
      expect(row?.values).toHaveLength(columns.length);
      expect(row?.values[column]).toEqual({ ...quartiles(samples), n: samples.length });
    }
  });
});
