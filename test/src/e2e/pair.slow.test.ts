import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AttemptDetail, RunDetail } from '@peerlab/contracts';
import { attemptsOf, StartedFarm } from './started-farm.js';

/** Two kernels to build, and four jobs of two emulated machines each. */
const RUN_MS = 60 * 60_000;
const MACHINES = ['--machines', 'v-pair-a,v-pair-b'];
const PERFTEST_METRIC = /^ib_(write|read|send)_(bw|lat)\.(odp|pinned)\./;

describe('two machines of the virtual lab, each kernel against each', () => {
  let farm: StartedFarm;
  let run: RunDetail;
  let attempts: AttemptDetail[];

  beforeAll(async () => {
    farm = await StartedFarm.start(['--run', 'pair', ...MACHINES]);
    const [, id = ''] = await farm.said(/\/runs\/([0-9a-f-]{36})/, RUN_MS);
    const client = await farm.client();
    run = await farm.until('the end of the run', RUN_MS, async () => {
      const now = await client.call('getRun', { params: { run: id } });
      return now.state === 'ended' ? now : null;
    });
    attempts = (await attemptsOf(client, run)).filter(({ kind }) => kind === 'test');
  }, 2 * RUN_MS);
  afterAll(() => farm?.remove());

  it('tries each kernel of the server against each of the client', () => {
    const tried = attempts.map(({ participants }) =>
      participants.map(({ role, machine, build }) => `${role} ${build?.name ?? '?'} on ${machine ?? '?'}`).join(', '),
    );
    expect(tried.toSorted()).toHaveLength(4);
    for (const server of ['base', 'patched'])
      for (const client of ['base', 'patched'])
        expect(tried).toContainEqual(
          expect.stringMatching(new RegExp(`server ${server} on v-pair-[ab], client ${client} on v-pair-[ab]`)),
        );
  });

  it('proves both kernels and brings both machines back', () => {
    for (const { participants } of attempts) {
      for (const { role, restored, kernels } of participants) {
        expect(restored, role).toBe(true);
        expect(kernels.find(({ phase }) => phase === 'candidate')?.proven, role).toBe(true);
      }
    }
  });

  it('passes with the series on both sides, without an alias for rxe, and finds the base’s fault', () => {
    const bySides = new Map(
      attempts.map((each) => [each.participants.map(({ build }) => build?.name).join(' '), each]),
    );
    const bad = bySides.get('patched patched')?.results.filter(({ verdict }) => !['pass', 'skip'].includes(verdict));
    expect(bad?.map(({ role, test, verdict, reason }) => `${role} ${test}: ${verdict} ${reason ?? ''}`)).toEqual([]);
    const migrated = bySides
      .get('patched patched')
      ?.results.find(({ role, test }) => role === 'server' && test === 'F97.migrated');
    expect(migrated?.proof).toMatchObject({ taken: 'ram', detail: { 'dma_alias calls': 0 } });
    expect(Number(migrated?.proof?.detail['pages migrated back'])).toBeGreaterThan(0);
    // On-demand paging of the base's rxe corrupts what crosses a page (kernel/README.md).
    expect(
      bySides.get('base base')?.results.some(({ test, verdict }) => test === 'F97.write' && verdict === 'fail'),
    ).toBe(true);
  });

  it('measures every program of perftest by message size, once', () => {
    for (const { measurements } of attempts) {
      const found = measurements.filter(({ suite }) => suite === 'perftest-pair');
      expect(new Set(found.map(({ role }) => role))).toEqual(new Set(['client']));
      for (const { name, median } of found) {
        expect(name).toMatch(PERFTEST_METRIC);
        expect(median, name).toBeGreaterThan(0);
      }
      expect(found.length).toBeGreaterThan(20);
    }
  });

  it('has every line of both machines, and knows how their clocks stand', async () => {
    for (const { participants } of attempts) {
      for (const { streams, clock, role } of participants) {
        for (const { stream, lines, expected } of streams) expect(lines, `${role} ${stream}`).toBe(expected);
        expect(Math.abs(clock?.offsetMs ?? Number.NaN), role).toBeLessThan(60_000);
      }
    }
  });
});
