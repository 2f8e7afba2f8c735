import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attestPath, judge, PathKind, Proof, proofText } from '../index.js';

const COUNTED = { 'alias pages': 4, 'RAM pages': 0, 'dma_alias calls': 4, 'pages migrated back': 0 };
const proof = (part: Partial<Proof> = {}): Proof => ({
  test: 'F60.peer_read',
  expected: 'peer',
  taken: 'BUS_ADDR',
  detail: { ...COUNTED, 'bytes compared': 16384, 'oracle reads': 2 },
  ...part,
});
const passed = (given: Proof) => ({
  status: 'pass' as const,
  reason: null,
  proof: given,
  warnings: [],
  signature: null,
});
const judged = (detail: Proof['detail'], taken = 'BUS_ADDR') =>
  judge(passed(proof({ detail: { ...COUNTED, ...detail }, taken })), 'BUS_ADDR');

describe('a claim of the peer path', () => {
  it('is proven by the map type and by pages that were mapped at their address on the bus', () => {
    expect(attestPath(proof(), 'BUS_ADDR')).toMatchObject({ isProven: true, reason: null });
    expect(attestPath(proof(), 'BUS_ADDR').items.map(({ name, says }) => `${name} ${says}`)).toEqual([
      'map type shows',
      'alias pages shows',
      'dma_alias calls beside',
      'RAM pages beside',
      'pages migrated back beside',
      'bytes compared shows',
      'oracle reads shows',
    ]);
  });

  it('without a counter is bounced, however right the data is', () => {
    const bare = proof({ detail: { 'bytes compared': 16384 } });
    expect(judge(passed(bare), 'BUS_ADDR')).toEqual({
      verdict: 'bounced',
      reason: 'data right, but not proven to be direct: nothing shows that it took BUS_ADDR: alias pages missing',
    });
    expect(
      attestPath(bare, 'BUS_ADDR')
        .items.filter(({ says }) => says === 'missing')
        .map(({ name }) => name),
    ).toEqual(['alias pages', 'oracle reads']);
    expect(proofText(bare, 'BUS_ADDR')).toBe(
      'BUS_ADDR is claimed, but not proven: nothing shows that it took BUS_ADDR: alias pages missing',
    );
  });

  it.each<[string, Proof['detail'], string]>([
    ['no page was mapped on the bus', { 'alias pages': 0 }, 'alias pages'],
    ['the NIC faulted in nothing', { 'ODP page faults': 0 }, 'ODP page faults'],
    ['the NIC moved nothing', { 'NIC bytes': 0 }, 'NIC bytes'],
    ['the NIC of the other machine saw nothing', { 'peer NIC bytes': 0 }, 'peer NIC bytes'],
    ['the link carried nothing', { 'PCIe bytes': 0 }, 'PCIe bytes'],
    ['a bridge redirects', { 'ACS redirect': true }, 'ACS redirect'],
    ['a counter is no number', { 'alias pages': 'many' }, 'alias pages'],
  ])('is bounced where a counter contradicts it: %s', (_, detail, name) => {
    expect(judged(detail)).toMatchObject({ verdict: 'bounced', reason: expect.stringContaining(name) });
  });

  it('is believed with the counters of a NIC', () => {
    expect(judged({ 'ODP page faults': 3, 'NIC bytes': 65536, 'ACS redirect': false, IOMMU: 'none' }).verdict).toBe(
      'pass',
    );
  });

  it('may be redirected by ACS where it goes through the host bridge', () => {
    const through = proof({ taken: 'THRU_HOST_BRIDGE', detail: { ...COUNTED, 'ACS redirect': true } });
    expect(judge(passed(through), 'THRU_HOST_BRIDGE').verdict).toBe('pass');
  });

  it('does not take the name of an inherited property for a counter', () => {
    const detail = JSON.parse('{"constructor":1,"alias pages":2}') as Proof['detail'];
    expect(attestPath(proof({ detail }), 'BUS_ADDR').isProven).toBe(true);
    expect(
      attestPath(proof({ detail: Object.create({ 'alias pages': 2 }) as Proof['detail'] }), 'BUS_ADDR').isProven,
    ).toBe(false);
  });
});

describe('whatever a suite prints', () => {
  const value = fc.oneof(fc.integer({ min: -2, max: 9 }), fc.boolean(), fc.constantFrom('', 'on', '7', 'x'));
  const name = fc.constantFrom(
    'alias pages',
    'RAM pages',
    'dma_alias calls',
    'pages migrated back',
    'bytes compared',
    'oracle reads',
    'ODP page faults',
    'NIC bytes',
    'peer NIC bytes',
    'PCIe bytes',
    'ACS redirect',
    'IOMMU',
    'other',
  );
  const any = fc.record({
    test: fc.constant('t'),
    expected: fc.constantFrom('peer' as const, 'ram' as const, 'any' as const),
    taken: fc.constantFrom('ram', 'none', ...PathKind.options),
    detail: fc.dictionary(name, value),
  });
  const kind = fc.constantFrom(...PathKind.options);

  it('a pass on the peer path has the predicted map type, pages on the bus, and no counter against it', () => {
    fc.assert(
      fc.property(any, kind, (given, path) => {
        fc.pre(given.expected === 'peer' && path !== 'NOT_SUPPORTED');
        const { verdict } = judge(passed(given), path);
        const { isProven, items } = attestPath(given, path);
        expect(verdict).toBe(isProven ? 'pass' : 'bounced');
        if (!isProven) return;
        expect(given.taken).toBe(path);
        expect(Number(given.detail['alias pages'])).toBeGreaterThan(0);
        expect(items.map(({ says }) => says)).not.toContain('contradicts');
      }),
      { numRuns: 500 },
    );
  });

  it('less evidence never makes a pass of what was none', () => {
    fc.assert(
      fc.property(any, kind, name, (given, path, gone) => {
        fc.pre(judge(passed(given), path).verdict === 'bounced');
        const against = attestPath(given, path).items.filter(({ says }) => says === 'contradicts');
        // A counter that contradicts may be left out; what remains must still show the path by itself.
        const { [gone]: _, ...detail } = given.detail;
        const { verdict } = judge(passed({ ...given, detail }), path);
        if (verdict === 'pass') expect(against.map((item) => item.name)).toEqual([gone]);
      }),
      { numRuns: 500 },
    );
  });

  it('is a proof that an agent may send, and has words for people', () => {
    fc.assert(
      fc.property(any, kind, (given, path) => {
        expect(Proof.safeParse(given).success).toBe(true);
        expect(proofText(given, path)).not.toBe('');
        for (const { text } of attestPath(given, path).items) expect(text).not.toMatch(/undefined|NaN/);
      }),
    );
  });
});
