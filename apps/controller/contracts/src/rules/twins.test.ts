import { expect, it } from 'vitest';
import type { GridColumn } from '../schema/grid.js';
import { VERDICT_TABLE, type Verdict } from '../schema/verdict.js';
import { columnsBeside, twinsText } from './twins.js';

const column = (machine: string | null, hash = 'a', build = 'b') =>
  ({ machine, combination: { hash }, build: { id: build } }) as GridColumn;
const letters = (...verdicts: Verdict[]): string => verdicts.map((verdict) => VERDICT_TABLE[verdict].letter).join('');
const four = [column('v-a'), column('v-b'), column('v-c'), column('v-d', 'other')];

it('names the machine that is unlike its twins', () => {
  const text = 'It fails on v-b alone, and passes on v-a, v-c with the same hardware: look at that machine first.';
  const row = letters('pass', 'fail', 'pass', 'pass');
  expect([0, 1, 2].map((at) => twinsText(four, row, at))).toEqual([text, text, text]);
  expect(twinsText(four, row, 3)).toBeNull();
  expect(twinsText(four, letters('crash', 'pass', 'fail', 'pass'), 0)).toContain('It passes on v-b alone');
});

it('takes no side where as many pass as fail', () => {
  expect(twinsText(four.slice(0, 2), letters('pass', 'bounced'), 0)).toBe(
    'Machines with this hardware disagree: it passes on v-a and fails on v-b.',
  );
});

it('compares figures on one machine where it has two columns, and else with all of its hardware', () => {
  const columns = [column('v-a'), column('v-b'), column('v-a', 'a', 'other'), column('v-d', 'other')];
  expect([0, 1, 2, 3].map((at) => columnsBeside(columns, at))).toEqual([[0, 2], [0, 1, 2], [0, 2], [3]]);
});

it('says nothing while they agree, of trouble of the lab, and of other kernels', () => {
  expect(twinsText(four, letters('pass', 'pass', 'pass', 'fail'), 0)).toBeNull();
  expect(twinsText(four, letters('pass', 'infra', 'skip', 'fail'), 0)).toBeNull();
  const kernels = [column('v-a'), column('v-b', 'a', 'other'), column(null)];
  expect(twinsText(kernels, letters('pass', 'fail', 'fail'), 0)).toBeNull();
});
