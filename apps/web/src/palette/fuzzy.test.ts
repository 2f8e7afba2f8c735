import { describe, expect, it } from 'vitest';
import { fuzzyMatch } from './fuzzy.js';

const best = (typed: string, ...names: string[]): string | undefined =>
  names
    .flatMap((name) => {
      const match = fuzzyMatch(typed, name);
      return match === null ? [] : [{ name, score: match.score }];
    })
    .toSorted((a, b) => b.score - a.score)[0]?.name;

describe('fuzzyMatch', () => {
  it('needs every letter in order, in any case', () => {
    expect(fuzzyMatch('VSW', 'v-switch')?.at).toEqual([0, 2, 3]);
    expect(fuzzyMatch('hctiws', 'v-switch')).toBeNull();
    expect(fuzzyMatch('', 'anything')).toMatchObject({ at: [] });
  });

  it('takes words in any order', () => {
    expect(fuzzyMatch('alias functional', 'p2p-functional/alias_read')).not.toBeNull();
    expect(fuzzyMatch('alias nothing', 'p2p-functional/alias_read')).toBeNull();
  });

  it('prefers what stands together, at the start of a word, and in a short name', () => {
    expect(best('run', 'go to the runs', 'retry until now')).toBe('go to the runs');
    expect(best('thp', 'the happy path', 'mm/thp_alias')).toBe('mm/thp_alias');
    expect(best('amd', 'v-amd', 'examdata')).toBe('v-amd');
    expect(best('base', 'base, and what came after it', 'base')).toBe('base');
  });

  it('survives letters that mean something to expressions', () => {
    expect(fuzzyMatch('(.*[', 'a (.*[ b')?.at).toEqual([2, 3, 4, 5]);
  });
});
