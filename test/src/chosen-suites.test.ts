import { expect, it } from 'vitest';
import { chosenSuites, EXIT_USAGE } from './chosen-suites.js';

const SUITES = [
  { name: 'unit', always: true },
  { name: 'e2e', always: true },
  { name: 'e2e-long', always: false },
];
const chosen = (...argv: string[]) => chosenSuites(argv, SUITES);

it('runs what always runs, or what is named, in the order of the suites', () => {
  expect(chosen()).toEqual(SUITES.slice(0, 2));
  expect(chosen('--only', 'e2e-long,unit')).toEqual([SUITES[0], SUITES[2]]);
  expect(chosen('--only=unit', '--only', 'e2e')).toEqual(SUITES.slice(0, 2));
});

it.each([['--help'], ['-h']])('%s runs nothing and names the suites', (word) => {
  expect(chosen(word)).toMatchObject({ exitCode: 0 });
  expect(chosen(word)).toHaveProperty('text', expect.stringContaining('Only when named: e2e-long'));
});

it.each([['--onyl', 'unit'], ['unit'], ['--only', 'everything'], ['--only', ''], ['--only']])(
  '%s runs nothing and is an error',
  (...words) => {
    expect(chosen(...words)).toMatchObject({ exitCode: EXIT_USAGE, text: expect.stringContaining('npm test') });
  },
);
