import { describe, expect, it } from 'vitest';
import { KEY_MAP } from '../keys.js';
import { buildIdTyped, matchingEntries, paletteEntries, type Stock } from './entries.js';

const NOTHING: Stock = {
  runs: [],
  machines: [],
  builds: [],
  templates: [],
  grids: [],
  metrics: [],
  crashes: [],
  tests: [],
};
const grid = (count: number): Stock['grids'][number] => ({
  columns: [],
  rows: Array.from({ length: count }, (_, index) => ({ suite: 'p2p', test: `t.${index}(`, verdicts: '' })),
  notes: [],
  cells: [],
  proofs: [],
  marks: [],
  known: [],
  metrics: [],
  generatedAt: '2026-01-01T00:00:00Z',
});

describe('paletteEntries', () => {
  it('has every page of the key map under the words and keys of the key map', () => {
    const pages = Object.values(KEY_MAP).filter((entry) => 'to' in entry);
    expect(pages.length).toBeGreaterThan(5);
    for (const page of pages) {
      const entry = paletteEntries(NOTHING).find(({ name }) => name === page.label);
      expect(entry).toMatchObject({ keys: page.keys, deed: { type: 'go', to: page.to } });
    }
  });

  it('names every entry once, and leads to a test by an expression that means only it', () => {
    const entries = paletteEntries({ ...NOTHING, grids: [grid(3), grid(3)] });
    expect(new Set(entries.map(({ id }) => id)).size).toBe(entries.length);
    const test = entries.find(({ name }) => name === 'p2p/t.1(');
    const q = new URL(test?.deed.type === 'go' ? test.deed.to : '', 'http://farm').searchParams.get('q') ?? '';
    expect(new RegExp(q).test('p2p/t.1(')).toBe(true);
    expect(new RegExp(q).test('p2p/tx1(')).toBe(false);
  });
});

describe('what the farm has', () => {
  const to = (stock: Stock, name: string): string | undefined => {
    const deed = paletteEntries(stock).find((entry) => entry.name === name)?.deed;
    return deed?.type === 'go' ? deed.to : undefined;
  };

  it('has tests that are on no grid by their history, and metrics by their trend', () => {
    const stock: Stock = {
      ...NOTHING,
      grids: [grid(1)],
      tests: [
        { suite: 'p2p', test: 't.0(' },
        { suite: 'mm', test: 'old & gone' },
      ],
      metrics: [{ suite: 'p2p', name: 'copy', unit: 'GB/s', better: 'higher', lastAt: '2026-01-01T00:00:00Z' }],
    };
    expect(to(stock, 'p2p/t.0(')).toMatch(/^\/\?q=/);
    expect(to(stock, 'mm/old & gone')).toBe('/history?suite=mm&test=old%20%26%20gone');
    expect(to(stock, 'copy')).toBe('/trends?suite=p2p&metric=copy');
    expect(paletteEntries(stock).filter(({ name }) => name === 'p2p/t.0(')).toHaveLength(1);
  });

  it('has each combination once, by its label', () => {
    const combination = { hash: 'a'.repeat(64), label: 'provider → client, BUS_ADDR' };
    const machine = (name: string) => ({ name, description: '', paths: [{ combination }] });
    const machines = [machine('m1'), machine('m2')] as unknown as Stock['machines'];
    const entries = paletteEntries({ ...NOTHING, machines });
    expect(entries.filter(({ kind }) => kind === 'combination')).toHaveLength(1);
    expect(to({ ...NOTHING, machines }, combination.label)).toBe(`/?by=builds&combination=${combination.hash}`);
  });

  it('is asked for a build-id as soon as the text can be one', () => {
    expect([buildIdTyped(' 6D3A1 '), buildIdTyped('6d3'), buildIdTyped('v-switch')]).toEqual(['6d3a1', null, null]);
  });
});

describe('matchingEntries', () => {
  it('puts the best first, marks letters of the name only, and never shows too many', () => {
    const entries = paletteEntries({ ...NOTHING, grids: [grid(500)] });
    expect(matchingEntries(entries, '')).toHaveLength(entries.length);
    const [first] = matchingEntries(entries, 'dark');
    expect(first?.entry.name).toBe('dark theme');
    expect(first?.at).toEqual([0, 1, 2, 3]);
    expect(matchingEntries(entries, 'zzzz')).toEqual([]);
  });

  it('takes an id for a run, an attempt or a build', () => {
    const id = '00000000-0000-4000-8000-000000000000';
    expect(matchingEntries([], ` ${id} `).map(({ entry }) => entry.deed)).toEqual([
      { type: 'go', to: `/runs/${id}` },
      { type: 'go', to: `/attempts/${id}` },
      { type: 'go', to: `/builds/${id}` },
    ]);
  });
});
