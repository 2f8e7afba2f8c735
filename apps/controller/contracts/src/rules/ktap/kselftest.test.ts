import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readKtap, type KtapTree } from './read.js';

/**
 * Output of run_kselftest.sh of Linux 7.3.4, `timers` killed in the middle, with the totals that tools/testing/kunit/kunit_parser.py
 * of the same tree gives for it.
 */
const LOGS: readonly [name: string, totals: KtapTree['totals'], status: KtapTree['tree']['status']][] = [
  ['membarrier', { pass: 3, fail: 0, skip: 0, crashed: 0, errors: 0 }, 'pass'],
  ['splice', { pass: 1, fail: 0, skip: 1, crashed: 0, errors: 0 }, 'pass'],
  ['prctl', { pass: 4, fail: 1, skip: 0, crashed: 0, errors: 0 }, 'fail'],
  ['timers', { pass: 1, fail: 1, skip: 0, crashed: 7, errors: 7 }, 'crashed'],
];

const linesOf = (name: string): string[] =>
  readFileSync(new URL(`../../../fixtures/ktap/kselftest-${name}.txt`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n');

/**
 * Logs of all forms in one file, each behind `=== pass N fail N …`: with the prefixes of printk, journals and callers,
 * carriage returns, levels by name, by version or by both, what the runner shows of its programs, and ten cut off. Made by a program;
 * the totals are those that the kernel's parser gave.
 */
const ODD = readFileSync(new URL('../../../fixtures/ktap/odd.txt', import.meta.url), 'utf8')
  .split(/^=== /m)
  .slice(1)
  .map((text): [totals: string, lines: string[]] => {
    const [totals = '', ...lines] = text.replace(/\n$/, '').split('\n');
    return [totals, lines];
  });

describe('logs of every form', () => {
  it('have the totals of the kernel’s own parser', () => {
    expect(ODD).toHaveLength(40);
    for (const [totals, lines] of ODD) {
      const own = Object.entries(readKtap(lines).totals).map(([name, count]) => `${name} ${count}`);
      expect(own.join(' '), lines.join('\n')).toBe(totals);
    }
  });

  it('lose no failure in any part of them', () => {
    for (const [, lines] of ODD) {
      for (let count = 0; count < lines.length; count += 1) {
        const { tree } = readKtap(lines.slice(0, count));
        expect(['pass', 'skip'], lines.slice(0, count).join('\n')).not.toContain(tree.status);
      }
    }
  });
});

describe('logs of kselftest', () => {
  it.each(LOGS)('%s has the totals of the kernel’s own parser', (name, totals, status) => {
    const { tree, totals: own } = readKtap(linesOf(name));
    expect({ totals: own, status: tree.status }).toEqual({ totals, status });
  });

  it('of a run that was killed name what is missing, and are no pass', () => {
    const { tree } = readKtap(linesOf('timers'));
    expect(tree).toMatchObject({ status: 'crashed', plan: 9, missing: 7 });
    expect(tree.errors).toEqual(['7 of 9 planned tests have no result']);
    expect(tree.children.map(({ name, status }) => [name, status])).toHaveLength(2);
  });
});
