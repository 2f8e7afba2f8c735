import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dialectReader, type DialectEnd, type SuiteExit } from '../../index.js';

const linesOf = (name: string): string[] =>
  readFileSync(fileURLToPath(new URL(`../../../fixtures/perftest/${name}`, import.meta.url)), 'utf8').split('\n');
const DONE: SuiteExit = { code: 0, how: 'exited with 0' };

function read(lines: readonly string[], exit = DONE): DialectEnd {
  const reader = dialectReader('perftest');
  if (reader === null) throw new Error('perftest has no reader');
  for (const line of lines) expect(reader.line(line)).toEqual([]);
  return reader.end(exit);
}
const resultsOf = ({ events }: DialectEnd) =>
  events.flatMap((event) => (event.type === 'result' ? [`${event.test} ${event.status}`] : []));

describe('a suite that runs perftest', () => {
  it('has a test for each program and label, and their figures as metrics', () => {
    const write = linesOf('6.06-write-bw-odp.txt');
    const end = read([
      '# perftest label: odp',
      ...write,
      '# perftest label: pinned',
      ...write,
      ...linesOf('6.06-send-lat.txt'),
    ]);
    expect(resultsOf(end)).toEqual(['ib_write_bw.odp pass', 'ib_write_bw.pinned pass', 'ib_send_lat.pinned pass']);
    expect(end.whole).toBeNull();
    const names = end.events.flatMap((event) => (event.type === 'metric' ? [event.metric.name] : []));
    expect(names).toContain('ib_write_bw.odp.average.65536');
    expect(names).toContain('ib_send_lat.pinned.typical.64');
  });

  it('fails with what a program complains of, with its exit code, and without figures', () => {
    const failed = read(linesOf('failed-qp.txt'), { code: 1, how: 'exited with 1' });
    expect(resultsOf(failed)).toEqual(['ib_write_bw fail']);
    expect(failed.whole).toMatchObject({ status: 'fail', reason: expect.stringContaining('Failed to modify QP 21') });
    expect(read(linesOf('6.06-send-lat.txt'), { code: 3, how: 'exited with 3' })).toMatchObject({
      whole: { status: 'fail', reason: 'it exited with 3' },
    });
    expect(read([]).whole).toEqual({
      status: 'no-result',
      reason: 'it printed no figures: the test program exited with 0',
    });
    expect(read(['no device'], { code: 4, how: 'exited with 4' }).whole?.status).toBe('skip');
  });

  it('is no pass when it was killed, wherever it was', () => {
    const lines = [...linesOf('6.06-write-bw-odp.txt'), ...linesOf('6.06-send-bw-all-sizes.txt')];
    fc.assert(
      fc.property(fc.nat(lines.length), (length) => {
        const cut = read(lines.slice(0, length), { code: null, how: 'was killed' });
        expect(cut.whole?.status).toBe('fail');
        expect(resultsOf(cut).at(-1) ?? ' fail').toMatch(/ fail$/);
      }),
    );
  });
});
