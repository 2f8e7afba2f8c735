import { describe, expect, it } from 'vitest';
import { foldedAtFirst, hitRows, stageRows, stageSpans, streamSpans } from './row-map.js';

const at = (seconds: number): string => new Date(seconds * 1000).toISOString();
const stage = (name: 'prepare' | 'boot' | 'test', status: 'passed' | 'failed', seconds: number) => ({
  stage: name,
  status,
  startedAt: at(seconds),
  endedAt: null,
  detail: null,
});
const stages = [stage('prepare', 'passed', 1), stage('boot', 'passed', 3), stage('test', 'failed', 5)];
/** Lines at 0, 1, … 9 seconds. */
const store = { total: () => 10, line: (seq: number) => ({ seq, at: seq * 1000, text: '' }) };

describe('the rows of a log', () => {
  const spans = stageSpans(stages, store);
  it('belong to the stage that had begun', () => {
    expect(spans.map(({ stage: name, from, to }) => [name, from, to])).toEqual([
      ['prepare', 1, 3],
      ['boot', 3, 5],
      ['test', 5, 10],
    ]);
  });
  it('stand below the heads of their stages, those of folded stages not at all', () => {
    const folded = foldedAtFirst(stages);
    expect([...folded]).toEqual(['prepare', 'boot']);
    const rows = stageRows(spans, folded, 10);
    const shown = Array.from({ length: rows.count }, (_, row) => rows.at(row));
    expect(shown).toEqual([
      0,
      { stage: 'prepare', status: 'passed', lines: 2, isFolded: true },
      { stage: 'boot', status: 'passed', lines: 2, isFolded: true },
      { stage: 'test', status: 'failed', lines: 5, isFolded: false },
      5,
      6,
      7,
      8,
      9,
    ]);
    expect([0, 2, 4, 5, 9].map(rows.rowOf)).toEqual([0, 1, 2, 4, 8]);
  });
  it('lose nothing when all is unfolded, and stand as they are without stages', () => {
    const rows = stageRows(spans, new Set(), 10);
    expect(rows.count).toBe(13);
    for (let line = 0; line < 10; line += 1) expect(rows.at(rows.rowOf(line))).toBe(line);
    expect(stageRows([], new Set(), 10).count).toBe(10);
  });
  it('belong in a log of one stream to the stages that have lines there', () => {
    const starts = [
      { stage: 'prepare', fromSeq: 0 },
      { stage: 'boot', fromSeq: 0 },
      { stage: 'test', fromSeq: 7 },
      { stage: 'unknown', fromSeq: 9 },
    ];
    expect(streamSpans(stages, starts, 10)).toEqual([
      { stage: 'boot', status: 'passed', from: 0, to: 7 },
      { stage: 'test', status: 'failed', from: 7, to: 9 },
    ]);
    expect(streamSpans(stages, [{ stage: 'test', fromSeq: 4 }], 4)).toEqual([]);
  });
  it('are folded only where something failed', () => {
    expect(foldedAtFirst(stages.slice(0, 2)).size).toBe(0);
  });
  it('are the hits alone on request', () => {
    const rows = hitRows([4, 7, 90]);
    expect([rows.count, rows.at(1), rows.rowOf(7), rows.rowOf(8), rows.rowOf(1000)]).toEqual([3, 7, 1, 2, 2]);
  });
});
