import { describe, expect, it } from 'vitest';
import type { Grid } from '../../schema/grid.js';
import type { MachineView } from '../../schema/machines.js';
import type { RunDetail } from '../../schema/run-detail.js';
import { countsText, metricCells, overviewCells, renderReport } from './markdown.js';
import { counterpart, type MetricValue } from './metrics.js';
import { reportOfRun } from './model.js';

const uuid = '00000000-0000-4000-8000-000000000000';

function column(machine: string, build: string, dmaAlias: boolean): Grid['columns'][number] {
  return {
    combination: {
      hash: machine.slice(-1).repeat(64),
      label: machine,
      identity: {
        provider: 'p',
        client: 'c',
        pathKind: 'BUS_ADDR',
        platform: { system: 'QEMU Standard PC', cpuVendor: 'v', cpuFamily: 1, iommu: 'translated' },
      },
    },
    build: {
      name: build,
      release: `7.3-${build}`,
      buildId: null,
      features: dmaAlias ? ['dma_alias'] : [],
      config: 'debug',
      aliases: [],
      id: uuid,
      git: build === 'patched' ? { url: 'https://example.org/linux.git', ref: 'master', commit: 'c'.repeat(40) } : null,
    },
    machine,
    pair: null,
    runId: uuid,
    runName: 'r',
    jobId: uuid,
    attemptId: `${machine} ${build}`,
    state: 'ended',
    verdict: 'fail',
    at: null,
    logLines: {},
    boot: null,
    busy: null,
  };
}

const measured = (median: number) => ({ median, lowerQuartile: median - 1, upperQuartile: median + 1, n: 5 });
const value = (median: number) => ({ median, low: median - 1, high: median + 1, boots: 1, n: 5 });
const metric = (name: string, ...values: (number | null)[]): Grid['metrics'][number] => ({
  suite: 'perf',
  name,
  unit: 'ns/page',
  better: 'lower',
  noise: {},
  values: values.map((median) => (median === null ? null : measured(median))),
});
const cell = (
  row: number,
  at: number,
  verdict: Grid['cells'][number]['verdict'],
  reason: string | null = null,
): Grid['cells'][number] => ({ row, column: at, verdict, reason, durationMs: 1, proof: null, log: null });

const grid: Grid = {
  columns: [column('m1', 'base', false), column('m1', 'patched', true), column('m2', 'patched', true)],
  rows: [
    { suite: 'p2p', test: 'F01', verdicts: '' },
    { suite: 'p2p', test: 'F02', verdicts: '' },
    { suite: 'kunit', test: '(suite)', verdicts: '' },
  ],
  notes: [],
  proofs: [],
  marks: [],
  known: [],
  cells: [
    cell(0, 0, 'skip', 'kernel lacks it'),
    cell(1, 0, 'skip', 'kernel lacks it'),
    cell(2, 0, 'skip', 'the bundle has no suite "kunit"'),
    cell(0, 1, 'pass'),
    cell(1, 1, 'fail', 'data differ | at word 3'),
    cell(0, 2, 'bounced', null),
    cell(1, 2, 'fail', 'data differ | at word 3'),
  ],
  metrics: [
    metric('fault_map.alias.pte', null, 300, 400),
    metric('fault_map.fallback.pte', 15_000, 12_000, 16_000),
    metric('fault_map.ram.pte', 100, 150, null),
    metric('migrate_in.pte', 700, 800, 900),
  ],
  generatedAt: '2026-01-01T00:00:00Z',
};
const run = {
  id: uuid,
  name: 'matrix',
  state: 'ended',
  verdict: 'fail',
  createdAt: '2026-01-01T00:00:00Z',
  endedAt: '2026-01-01T01:00:00Z',
  suspects: [
    { machine: 'm2', reason: 'golden/link: fail: x4' },
    { machine: 'm2', reason: 'golden/link: fail: x4' },
  ],
  jobViews: [
    {
      kind: 'build',
      build: 'debug',
      machine: null,
      attempts: [{ participants: [], failure: { class: 'build', message: 'mm/hmm.c:3: no' } }],
    },
  ],
} as unknown as RunDetail;
const machines = [{ name: 'm1', labels: { topology: 'switch' } }] as unknown as MachineView[];

describe('report', () => {
  const report = reportOfRun(run, grid, machines);
  const text = renderReport(report);

  it('says first which machines turned out sick after they ran it', () => {
    expect(text).toContain(
      '### Suspect\n\n- **m2** failed a health check (golden/link: fail: x4) after it ran 2 attempts of this run: do not trust them\n',
    );
    expect(text.indexOf('### Suspect')).toBeLessThan(text.indexOf('### Results'));
    expect(renderReport(reportOfRun({ ...run, suspects: [] }, grid, machines))).not.toContain('Suspect');
  });

  it('has one matrix row a machine and build, with counts by suite', () => {
    expect(text).toContain('| machine | topology | path | IOMMU | build | config | p2p | kunit | verdict |');
    expect(text).toContain('| m1 | switch | BUS_ADDR | translated | base | debug | 0/0/2 | 0/0/1 | fail |');
    expect(text).toContain('| m1 | switch | BUS_ADDR | translated | patched | debug | 1/1/0 |  | fail |');
    expect(text).toContain('| m2 |  | BUS_ADDR | translated | patched | debug | 0/1/0, 1 bounced |  | fail |');
  });

  it('names the commit of a kernel of a git repository', () => {
    expect(text).toContain(
      `- \`patched\`: 7.3-patched, config debug, commit ${'c'.repeat(40)}, master of https://example.org/linux.git\n`,
    );
    expect(text).toContain('- `base`: 7.3-base, config debug\n');
  });

  it('keeps failures that people know apart from the new ones, with who knows them and until when', () => {
    const mark = { reason: 'a fault of\nthe base', by: 'ann', until: '2026-03-01T00:00:00Z', base: '7.3.4' };
    const known = reportOfRun(run, { ...grid, marks: [mark], known: [{ row: 1, column: 1, mark: 0 }] }, machines);
    const said = renderReport(known);
    expect(said).toContain('- **fail** `p2p/F02` on m2/patched: data differ | at word 3\n');
    expect(said).toMatch(
      /### Known failures\n\n- \*\*fail\*\* `p2p\/F02` on m1\/patched: data differ \| at word 3 \(known until 2026-03-01 \(baseline of 7\.3\.4, accepted by ann\): a fault of the base\)/,
    );
    const all = reportOfRun(
      run,
      { ...grid, marks: [mark], known: [1, 2].flatMap((at) => [0, 1].map((row) => ({ row, column: at, mark: 0 }))) },
      machines,
    );
    expect(renderReport(all)).toContain('### Findings\n\nNone that is new:');
    expect(text).not.toContain('Known failures');
  });

  it('names every result that is no pass once per reason, with all its places', () => {
    expect(text).toContain('- **fail** `p2p/F02` on m1/patched, m2/patched: data differ | at word 3');
    expect(text).toMatch(/- \*\*bounced\*\* `p2p\/F01` on m2\/patched: data right, but/);
    expect(text).toContain('- 2 tests of p2p (F01, F02) on m1/base: kernel lacks it');
    expect(text).toContain('- `kunit/(suite)` on m1/base: the bundle has no suite "kunit"');
    expect(text).toContain('- build/debug: **build** mm/hmm.c:3: no');
  });

  it('compares on the same machine only: with RAM, with the fallback, with the kernel before', () => {
    const [m1, m2] = report.machines;
    const alias = (machine: typeof m1) => machine?.rows.find(({ name }) => name === 'fault_map.alias.pte')?.values;
    expect(alias(m1)).toEqual([
      null,
      { ...value(300), toRam: 2, toFallback: 0.025, toBase: 0.02, says: { says: 'unclear', why: 'few-boots' } },
    ]);
    expect(alias(m2)).toEqual([{ ...value(400), toRam: null, toFallback: 0.025, toBase: null, says: null }]);
    expect(text).toContain('×2 RAM, ×0.025 fallback, ×0.02 before');
    expect(text).toContain('| migrate_in.pte | ns/page, lower is better | 700 (699–701, 1 boot, 5) |');
    expect(text).toContain('Emulation: ratios only.');
    expect(text).toContain('No verdict below 3 boots of each build');
  });

  it('takes the boots of a run with repeat together, and says what they say', () => {
    const boots = [0, 1, 2, 3, 4];
    const columns = ['base', 'patched'].flatMap((build) =>
      boots.map((boot) => ({ ...column('m1', build, build !== 'base'), attemptId: `${build} ${boot}` })),
    );
    const medians = [...boots.map((boot) => 700 + boot), ...boots.map((boot) => 500 + boot)];
    const repeated = { ...grid, columns, cells: [], rows: [], metrics: [metric('migrate_in.pte', ...medians)] };
    const [machine] = reportOfRun(run, repeated, machines).machines;
    expect(machine?.builds).toEqual(['base', 'patched']);
    expect(machine?.rows[0]?.values).toMatchObject([
      { median: 702, low: 700, high: 704, boots: 5, n: 25, says: null },
      { median: 502, boots: 5, says: { says: 'better', why: null } },
    ]);
    const markdown = renderReport(reportOfRun(run, repeated, machines));
    expect(markdown).toMatch(/\| 502 \(500–504, 5 boots, 25\) \| ×0\.715 better \|/);
    expect(markdown).toContain('at most 5 % of such reports');
  });

  it('names one cause of many failures once', () => {
    const cells = [cell(0, 1, 'infra', 'the agent restarted'), cell(1, 1, 'infra', 'the agent restarted')];
    expect(renderReport(reportOfRun(run, { ...grid, cells }, machines))).toContain(
      '- **infra** 2 tests of p2p (F01, F02) on m1/patched: the agent restarted',
    );
  });

  it('keeps what was canceled or not reached out of the findings, and those the worst first', () => {
    const cells = [
      cell(0, 0, 'canceled', 'the run was canceled'),
      cell(1, 0, 'tainted', 'a warning'),
      cell(0, 1, 'not-reached', 'a crash before it'),
      cell(1, 1, 'crash', 'BUG'),
    ];
    const stopped = reportOfRun(run, { ...grid, cells }, machines);
    expect(stopped.findings.map(({ verdict }) => verdict)).toEqual(['crash', 'tainted']);
    expect(stopped.unrun.map(({ verdict }) => verdict)).toEqual(['canceled', 'not-reached']);
    expect(renderReport(stopped)).toContain('### Did not run\n\n- **canceled** `p2p/F01` on m1/base');
  });

  it('names the slowest tests, each where it took longest, and of how many', () => {
    const cells = [
      cell(0, 0, 'pass'),
      { ...cell(1, 0, 'pass'), durationMs: 600 },
      { ...cell(1, 1, 'pass'), durationMs: 700 },
      { ...cell(1, 2, 'pass'), durationMs: 650 },
      { ...cell(0, 1, 'skip'), durationMs: null },
    ];
    const timed = reportOfRun(run, { ...grid, cells }, machines);
    expect(timed.slowest).toEqual([
      { suite: 'p2p', test: 'F02', place: 'm1/patched', durationMs: 700 },
      { suite: 'p2p', test: 'F01', place: 'm1/base', durationMs: 1 },
    ]);
    expect(timed.timed).toBe(2);
    expect(timed.attempts['m1/patched']).toBe('m1 patched');
  });

  it('says when there is nothing to find', () => {
    const clean = { ...grid, cells: [cell(0, 1, 'pass')], metrics: [] };
    const calm = renderReport(reportOfRun({ ...run, jobViews: [] }, clean, machines));
    expect(calm).toContain('None: every test that ran passed.');
    expect(calm).not.toContain('Measurements');
  });
});

it('finds what a metric is compared with', () => {
  expect(counterpart('fault_map.alias.pte', 'ram')).toBe('fault_map.ram.pte');
  expect(counterpart('fault.fallback.pmd', 'ram')).toBe('fault.ram.pmd');
  expect(counterpart('fault.ram.pmd', 'fallback')).toBeNull();
  expect(counterpart('invalidate', 'ram')).toBeNull();
});

it('gives every compared metric a row, so that many metrics do not widen a page', () => {
  const value = (toRam: number | null, toFallback: number | null): MetricValue => ({
    median: 1,
    low: 1,
    high: 1,
    boots: 1,
    n: 3,
    toRam,
    toFallback,
    toBase: null,
    says: null,
  });
  const place = { topology: '', pathKind: 'BUS_ADDR', iommu: 'none' };
  const row = (name: string, values: (MetricValue | null)[], suite = 'perf') => ({
    suite,
    name,
    unit: 'ns',
    better: 'lower' as const,
    values,
  });
  const machines = [
    {
      ...place,
      machine: 'm1',
      builds: ['base', 'patched'],
      rows: [
        row('map.ram.pte', [value(null, null), value(null, null)]),
        row('map.alias.pte', [null, value(1.33, 0.0932)]),
        row('map.alias.pmd', [null, value(1.2, null)]),
        row('unmap.alias.pte', [value(null, null), value(null, null)]),
      ],
    },
    { ...place, machine: 'm2', builds: ['patched'], rows: [row('map.alias.pmd', [value(null, 0.5)])] },
  ];
  expect(overviewCells(machines)).toEqual({
    head: ['Metric', 'm1/patched', 'm2/patched'],
    rows: [
      ['map.alias.pte', '×1.33 RAM, ×0.0932 fallback', ''],
      ['map.alias.pmd', '×1.2 RAM', '×0.5 fallback'],
    ],
  });
});

it('tells metrics of one name apart by their suites', () => {
  const value: MetricValue = {
    median: 1,
    low: 1,
    high: 1,
    boots: 1,
    n: 3,
    toRam: 2,
    toFallback: null,
    toBase: null,
    says: null,
  };
  const row = (suite: string, name: string) => ({ suite, name, unit: 'ns', better: 'lower' as const, values: [value] });
  const rows = [row('perf', 'map.alias'), row('stress', 'map.alias'), row('stress', 'unmap.alias')];
  const machine = { machine: 'm1', topology: '', pathKind: 'BUS_ADDR', iommu: 'none', builds: ['patched'], rows };
  const named = ['perf/map.alias', 'stress/map.alias', 'unmap.alias'];
  expect(metricCells(machine).rows.map(([name]) => name)).toEqual(named);
  expect(overviewCells([machine]).rows.map(([name]) => name)).toEqual(named);
});

it('counts what is neither pass, fail nor skip by its name', () => {
  expect(countsText({ pass: 3, crash: 1, 'not-reached': 2 })).toBe('3/0/0, 1 crash, 2 not-reached');
  expect(countsText(undefined)).toBe('');
});
