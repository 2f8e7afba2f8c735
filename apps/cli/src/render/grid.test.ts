import { figureText, type Grid } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import { renderGrid } from './grid.js';
import { table } from './text.js';

const uuid = '00000000-0000-4000-8000-000000000000';
const column = (machine: string, build: string, hash: string): Grid['columns'][number] => ({
  combination: {
    hash: hash.repeat(64),
    label: machine,
    identity: {
      provider: 'p',
      client: 'c',
      pathKind: 'BUS_ADDR',
      platform: { system: 's', cpuVendor: 'v', cpuFamily: 1, iommu: 'none' },
    },
  },
  build: { id: uuid, name: build, release: null, buildId: null, features: null, config: null, aliases: [], git: null },
  machine,
  pair: null,
  runId: uuid,
  runName: 'r',
  jobId: uuid,
  attemptId: uuid,
  state: 'ended',
  verdict: 'pass',
  at: null,
  logLines: {},
  boot: null,
  busy: null,
});
const value = (median: number) => ({ median, lowerQuartile: median, upperQuartile: median, n: 3 });

describe('renderGrid', () => {
  const grid: Grid = {
    columns: [column('m1', 'base', 'a'), column('m1', 'patched', 'a'), column('m2', 'patched', 'b')],
    rows: [
      { suite: 's', test: 't1', verdicts: 'SB.' },
      { suite: 's', test: 't2', verdicts: '...' },
    ],
    notes: [],
    proofs: [],
    marks: [],
    known: [],
    cells: [
      { row: 0, column: 0, verdict: 'skip', reason: 'lacks it', durationMs: 1, proof: null, log: null },
      { row: 0, column: 1, verdict: 'bounced', reason: 'went through RAM', durationMs: 1, proof: null, log: null },
    ],
    metrics: [
      {
        suite: 's',
        test: 't1',
        name: 'fault',
        unit: 'ns/page',
        better: 'lower',
        noise: {},
        values: [value(1000), value(20), value(30)],
      },
    ],
    generatedAt: '2026-01-01T00:00:00Z',
  };
  const text = renderGrid(grid, false);

  it('names the commit of a kernel of a git repository, where there is one', () => {
    expect(text).not.toContain('source');
    const [first, ...others] = grid.columns;
    if (first === undefined) throw new Error('no column');
    const git = { url: 'https://example.org/l.git', ref: 'master', commit: 'c'.repeat(40) };
    const shown = renderGrid({ ...grid, columns: [{ ...first, build: { ...first.build, git } }, ...others] }, false);
    expect(shown).toMatch(/^source +master at c{12}\b/m);
  });
  it('says of a failure that people know it that they do, after the new ones', () => {
    const marks = [{ reason: 'mended in 7.4', by: 'ann', until: '2026-03-01T00:00:00Z', base: null }];
    const fresh = { ...grid.cells[1], column: 2, reason: 'wrong data' } as Grid['cells'][number];
    const known = { ...grid, marks, known: [{ row: 0, column: 1, mark: 0 }], cells: [...grid.cells, fresh] };
    const shown = renderGrid(known, false);
    expect(shown).toMatch(/^s\/t1 +\S+ skip +\S+ bounced \(known\) +\S+ bounced$/m);
    expect(shown).toContain('t1: went through RAM (known until 2026-03-01 (marked by ann): mended in 7.4)');
    expect(shown.indexOf('wrong data')).toBeLessThan(shown.indexOf('went through RAM'));
  });
  it('names machine, path and kernel of each role of a job with several', () => {
    const [first] = grid.columns;
    if (first === undefined) throw new Error('no column');
    const { build, combination } = first;
    const { aliases: _, ...kernel } = build;
    const peer = { ...combination.identity, pathKind: 'THRU_HOST_BRIDGE' as const, role: 'client', build: 'new' };
    const ofRoles = {
      ...first,
      machine: null,
      combination: { ...combination, identity: { ...combination.identity, role: 'server', peers: [peer] } },
      roles: [
        { role: 'server', machine: 'm1', pair: null, build: kernel },
        { role: 'client', machine: 'm2', pair: null, build: { ...kernel, name: 'new' } },
      ],
    };
    const shown = renderGrid({ ...grid, columns: [ofRoles, ...grid.columns.slice(1)] }, false);
    expect(shown).toMatch(/^ +server m1, client m2 +m1 +m2$/m);
    expect(shown).toMatch(/^path +server BUS_ADDR, client THRU_HOST_BRIDGE +BUS_ADDR/m);
    expect(shown).toMatch(/^build +server base, client new +patched/m);
    expect(shown).toMatch(/^metric +server m1\/base, client m2\/new +m1\/patched/m);
    expect(shown).not.toContain('any machine');
  });
  it('tells metrics of one name apart by their suites', () => {
    const [metric] = grid.metrics;
    if (metric === undefined) throw new Error('no metric');
    const metrics = [{ ...metric, name: 'bytes' }, { ...metric, name: 'bytes', suite: 'other' }, metric];
    const shown = renderGrid({ ...grid, metrics }, false);
    expect(
      shown
        .split('\n')
        .filter((line) => line.includes('ns/page'))
        .map((line) => line.split(' ')[0]),
    ).toEqual(['s/bytes', 'other/bytes', 'fault']);
  });
  it('compares builds within a combination and never across', () => {
    expect(text).toContain('×0.02');
    expect(text.match(/×/g)).toHaveLength(1);
  });
  it('gives the reason of what is not a pass, and leaves skips and blanks alone', () => {
    expect(text).toContain('m1/patched  t1: went through RAM');
    expect(text).not.toContain('lacks it');
    expect(text).toMatch(/s\/t2 +· +· +·/);
  });
});

describe('text', () => {
  it('aligns by visible width', () => {
    expect(
      table([
        ['\u001b[31ma\u001b[0m', 'x'],
        ['bbb', 'y'],
      ]),
    ).toBe('\u001b[31ma\u001b[0m    x\nbbb  y');
  });
  it('shows three digits', () => {
    expect([0.01234, 19.96, 14321.6].map(figureText)).toEqual(['0.0123', '20', '14 322']);
  });
});
