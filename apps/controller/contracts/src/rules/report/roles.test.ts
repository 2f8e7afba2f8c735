import { describe, expect, it } from 'vitest';
import type { HardwareIdentity } from '../../schema/combination.js';
import type { Grid } from '../../schema/grid.js';
import type { MachineView } from '../../schema/machines.js';
import type { RunDetail } from '../../schema/run-detail.js';
import { renderReport } from './markdown.js';
import { reportOfRun } from './model.js';

/** A run of two roles, whose kernels are one against each: base or new on the server m1 and on the client m2. */
const uuid = '00000000-0000-4000-8000-000000000000';
const hardware = (pathKind: 'BUS_ADDR' | 'THRU_HOST_BRIDGE'): HardwareIdentity => ({
  provider: 'p',
  client: 'c',
  pathKind,
  platform: { system: 'A server', cpuVendor: 'v', cpuFamily: 1, iommu: 'translated' },
});
const kernel = (name: string) => ({
  id: uuid,
  name,
  release: `7.3-${name}`,
  buildId: `id of ${name}`,
  features: name === 'base' ? [] : ['dma_alias'],
  config: 'debug',
  git: null,
});

function column(server: string, client: string): Grid['columns'][number] {
  const peers = [{ ...hardware('THRU_HOST_BRIDGE'), role: 'client', build: client }];
  return {
    combination: {
      hash: (client === 'base' ? 'b' : 'a').repeat(64),
      label: `server: … ⇄ client: … with ${client}`,
      identity: { ...hardware('BUS_ADDR'), role: 'server', peers },
    },
    build: { ...kernel(server), aliases: [] },
    machine: null,
    pair: null,
    roles: [
      { role: 'server', machine: 'm1', pair: null, build: kernel(server) },
      { role: 'client', machine: 'm2', pair: null, build: kernel(client) },
    ],
    runId: uuid,
    runName: 'r',
    jobId: uuid,
    attemptId: `${server} ${client}`,
    state: 'ended',
    verdict: 'fail',
    at: null,
    logLines: {},
    boot: null,
    busy: null,
  };
}

const value = (median: number) => ({ median, lowerQuartile: median, upperQuartile: median, n: 5 });
const grid: Grid = {
  columns: [column('base', 'new'), column('base', 'base'), column('new', 'new')],
  rows: [{ suite: 'p2p-rdma', test: 'copy', verdicts: 'FPP' }],
  notes: [],
  proofs: [],
  marks: [],
  known: [],
  cells: [{ row: 0, column: 0, verdict: 'fail', reason: 'client: data differ', durationMs: 1, proof: null, log: null }],
  metrics: [
    {
      suite: 'p2p-rdma',
      test: 'copy',
      name: 'bytes',
      unit: 'MiB/s',
      better: 'higher',
      noise: {},
      values: [value(30), value(10), value(20)],
    },
  ],
  generatedAt: '2026-01-01T00:00:00Z',
};
const participants = [
  { role: 'server', machine: 'm1', build: { name: 'base' } },
  { role: 'client', machine: 'm2', build: { name: 'new' } },
];
const failure = { class: 'kernel-crash', role: 'client', message: 'Oops' };
const run = {
  id: uuid,
  name: 'pair',
  state: 'ended',
  verdict: 'fail',
  createdAt: '2026-01-01T00:00:00Z',
  endedAt: '2026-01-01T01:00:00Z',
  suspects: [],
  jobViews: [{ kind: 'test', build: 'base', machine: null, attempts: [{ participants, failure }] }],
} as unknown as RunDetail;
const machines = [{ name: 'm1', labels: { topology: 'switch' } }] as unknown as MachineView[];

describe('the report of a run with roles', () => {
  const report = reportOfRun(run, grid, machines);
  const text = renderReport(report);

  it('names the machine and the kernel of each role, and its path where they differ', () => {
    expect(report.matrix.map(({ machine, build }) => [machine, build])).toEqual([
      ['server m1, client m2', 'server base, client new'],
      ['server m1, client m2', 'server base, client base'],
      ['server m1, client m2', 'server new, client new'],
    ]);
    expect(text).toContain(
      '| server m1, client m2 | server switch, client – | server BUS_ADDR, client THRU_HOST_BRIDGE | translated | server base, client new | debug |',
    );
    expect(text).not.toContain('any machine');
  });

  it('lists the kernels of further roles, too', () => {
    const { builds } = reportOfRun(run, { ...grid, columns: [column('base', 'new')], metrics: [] }, machines);
    expect(builds.map(({ name, release }) => [name, release])).toEqual([
      ['base', '7.3-base'],
      ['new', '7.3-new'],
    ]);
  });

  it('says where a finding is, and whose failure ended a job early', () => {
    expect(text).toContain('`p2p-rdma/copy` on server m1/base, client m2/new: client: data differ');
    expect(text).toContain('- server m1/base, client m2/new: **kernel-crash** of client Oops');
    expect(report.attempts['server m1/base, client m2/new']).toBe('base new');
  });

  it('compares with the pair that boots the base on both sides', () => {
    const [pair] = report.machines;
    expect(pair?.builds).toEqual(['server base, client new', 'server base, client base', 'server new, client new']);
    expect(pair?.rows[0]?.values.map((each) => each?.toBase)).toEqual([3, null, 2]);
  });
});
