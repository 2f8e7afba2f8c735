import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { growthOf } from '../../testing/growth.js';
import { type KtapNode, type KtapTotals, KtapReader, readKtap } from '../../index.js';

const read = (...lines: string[]) => readKtap(lines);
/** Paths and states of every test, those of programs behind `# ` too. */
const outline = (node: KtapNode): string[] =>
  [...node.children, ...node.inner].flatMap((child) => [`${child.path} ${child.status}`, ...outline(child)]);
const totals = (some: Partial<KtapTotals>): KtapTotals => ({
  pass: 0,
  fail: 0,
  skip: 0,
  crashed: 0,
  errors: 0,
  ...some,
});

describe('nesting', () => {
  const NESTED = {
    'versions of KTAP, two blanks': [
      'KTAP version 1',
      '1..2',
      '  KTAP version 1',
      '  1..2',
      '  ok 1 a',
      '  not ok 2 b',
      'not ok 1 one',
      'ok 2 two',
    ],
    'KUnit: names and tabs': [
      'TAP version 14',
      '1..2',
      '\t# Subtest: one',
      '\t1..2',
      '\tok 1 - a',
      '\tnot ok 2 - b',
      'not ok 1 - one',
      'ok 2 - two',
    ],
    'TAP 14: names that are not indented': [
      'TAP version 14',
      '# Subtest: one',
      '    1..2',
      '    ok 1 - a',
      '    not ok 2 - b',
      'not ok 1 - one',
      'ok 2 - two',
      '1..2',
    ],
    'no indentation at all': [
      'KTAP version 1',
      '1..2',
      '# Subtest: one',
      '1..2',
      'ok 1 a',
      'not ok 2 b',
      'not ok 1 one',
      'ok 2 two',
    ],
    'indented results alone': ['1..2', '    ok 1 a', '    not ok 2 b', 'not ok 1 one', 'ok 2 two'],
  };
  it.each(Object.entries(NESTED))('%s', (_name, lines) => {
    const { tree, totals: counted } = readKtap(lines);
    expect(outline(tree)).toEqual(['one fail', 'one/a pass', 'one/b fail', 'two pass']);
    expect(counted).toEqual(totals({ pass: 2, fail: 1 }));
    const prefixed = readKtap(lines.flatMap((line) => [`[   12.345678] ${line}`, '[   12.345679] eth0: link up']));
    expect(outline(prefixed.tree)).toEqual(outline(tree));
  });

  it('a failure below a test that says ok is a failure', () => {
    const { tree, realFailures } = read('KTAP version 1', '1..1', '  1..2', '  ok 1 a', '  not ok 2 b', 'ok 1 one');
    expect([tree.status, tree.children[0]?.status, realFailures]).toEqual(['fail', 'fail', 1]);
    expect(tree.children[0]?.warnings).toEqual(['says ok, but 1 of its sub-tests failed']);
  });

  it('a test that is not ok is a failure although its sub-tests are', () => {
    expect(read('KTAP version 1', '1..1', '  1..1', '  ok 1 a', 'not ok 1 one').totals).toEqual(
      totals({ pass: 1, fail: 1 }),
    );
    const skipped = read('KTAP version 1', '1..1', '  1..1', '  ok 1 a # SKIP', 'not ok 1 one');
    expect([skipped.totals, skipped.tree.status]).toEqual([totals({ skip: 1 }), 'fail']);
  });

  it('kselftest: what its programs print is below them, and not in the totals', () => {
    const { tree, totals: counted } = read(
      'TAP version 13',
      '1..4',
      '# selftests: mm: a',
      '# TAP version 13',
      '# 1..2',
      '# ok 1 x',
      '# # detail',
      '# ok 2 y',
      'ok 1 selftests: mm: a',
      '# selftests: mm: b',
      '# TAP version 13',
      '# 1..1',
      '# not ok 1 z',
      'ok 2 selftests: mm: b',
      'ok 3 selftests: mm: c # SKIP',
      'not ok 4 selftests: mm: d # exit=139',
    );
    expect(outline(tree)).toEqual([
      'selftests: mm: a pass',
      'selftests: mm: a/x pass',
      'selftests: mm: a/y pass',
      'selftests: mm: b fail',
      'selftests: mm: b/z fail',
      'selftests: mm: c skip',
      'selftests: mm: d fail',
    ]);
    expect(counted).toEqual(totals({ pass: 2, fail: 1, skip: 1 }));
    expect(tree.children[3]).toMatchObject({ diagnostic: 'exit=139', warnings: ['ended by signal 11'] });
  });

  it('two tests of one name both stay', () => {
    const { tree } = read('1..3', 'ok 1 a', 'not ok 2 a', 'ok 3 a (2)');
    expect(outline(tree)).toEqual(['a pass', 'a (2) fail', 'a (2) (2) pass']);
  });

  it('documents after each other are one', () => {
    const { tree, totals: counted } = read('TAP version 13', '1..1', 'ok 1 a', 'TAP version 13', '1..2', 'not ok 1 b');
    expect(outline(tree)).toEqual(['a pass', 'b fail']);
    expect(tree).toMatchObject({ plan: 3, missing: 1 });
    expect(counted).toEqual(totals({ pass: 1, fail: 1, crashed: 1, errors: 1 }));
  });

  it('a block of YAML belongs to its result, whatever is in it', () => {
    const { totals: counted } = read('TAP version 14', '1..2', 'ok 1 a', '  ---', '  not ok 7 b', '  ...', 'ok 2 c');
    expect(counted).toEqual(totals({ pass: 2 }));
  });

  it('numbers may lack in TAP alone, and not among numbered results', () => {
    expect(outline(read('TAP version 14', 'ok', 'not ok b', 'ok - c', '1..3').tree)).toEqual([
      'test 1 pass',
      'b fail',
      'c pass',
    ]);
    expect(outline(read('TAP version 13', 'ok 1 a', 'ok so far').tree)).toEqual(['a pass']);
    expect(outline(read('KTAP version 1', 'ok', 'ok 1 a').tree)).toEqual(['a pass']);
  });
});

describe('what is wrong is said, and is no pass', () => {
  it.each([
    ['an empty text', [''], 'none', { errors: 1 }, 'no version, plan or result'],
    ['a version alone', ['KTAP version 1'], 'none', { errors: 1 }, 'no tests ran'],
    ['a plan of none', ['TAP version 14', '1..0'], 'none', { errors: 1 }, 'no tests ran'],
    ['killed after 1 of 3', ['1..3', 'ok 1 a'], 'crashed', { pass: 1, crashed: 2, errors: 2 }, '2 of 3 planned'],
    ['more than planned', ['1..1', 'ok 1 a', 'ok 2 b'], 'error', { pass: 2, errors: 1 }, '2 results, but 1'],
    ['a late plan', ['TAP version 13', 'ok 1 a', '1..2'], 'error', { pass: 1, errors: 1 }, 'plan after them says 2'],
    ['a bail-out', ['1..1', 'ok 1 a', 'Bail out! no disk'], 'error', { pass: 1, errors: 1 }, 'bailed out: no disk'],
    ['another version', ['KTAP version 2', '1..1', 'ok 1 a'], 'error', { pass: 1, errors: 1 }, 'KTAP version 2'],
    ['a panic', ['1..2', 'ok 1 a', 'Kernel panic - not syncing: VFS: x', 'ok 2 b'], 'crashed', undefined, '1 of 2'],
  ] as const)('%s', (_name, lines, status, counted, text) => {
    const { tree, totals: found } = readKtap(lines);
    expect(tree.status).toBe(status);
    if (counted !== undefined) expect(found).toEqual(totals(counted));
    expect(tree.errors.join('; ')).toContain(text);
  });

  it('numbers out of order, twice, and left out', () => {
    const { tree, totals: counted } = read('1..4', 'ok 1 a', 'ok 3 b', 'ok 3 c', 'ok 3 d');
    expect(counted).toEqual(totals({ pass: 4, errors: 2 }));
    expect(tree.children.map(({ errors }) => errors)).toEqual([
      [],
      ['number 2 was expected, not 3'],
      [],
      ['number 4 was expected, not 3'],
    ]);
  });

  it('a plan that says why nothing runs is a skip', () => {
    const { tree, totals: counted } = read('TAP version 13', '1..0 # SKIP not root');
    expect([tree.status, counted]).toEqual(['skip', totals({ skip: 1 })]);
  });

  it('no plan is said and not counted', () => {
    expect(read('KTAP version 1', 'ok 1 a').tree).toMatchObject({
      status: 'pass',
      warnings: ['no plan: whether results are missing is unknown'],
    });
  });

  it('sub-tests whose test has no result, and a test whose sub-tests did not run', () => {
    const cut = read('KTAP version 1', '1..1', '  # Subtest: one', '  1..2', '  ok 1 a');
    expect(outline(cut.tree)).toEqual(['one crashed', 'one/a pass']);
    expect(cut.totals).toEqual(totals({ pass: 1, crashed: 1, errors: 2 }));
    const none = read('KTAP version 1', '1..1', '  # Subtest: one', 'ok 1 one');
    expect([outline(none.tree), none.totals]).toEqual([['one none'], totals({ errors: 1, crashed: 1 })]);
    const other = read('KTAP version 1', '1..2', '  # Subtest: one', '  1..1', '  ok 1 a', 'ok 2 two');
    expect(outline(other.tree)).toEqual(
      ['one none', 'one/a pass', 'two pass'].map((line) => line.replace('none', 'crashed')),
    );
  });

  it('failed as expected counts as the kernel counts it, and is no real failure', () => {
    const { totals: counted, tree } = read('1..3', 'not ok 1 a # XFAIL known', 'not ok 2 b # TODO later', 'ok 3 c');
    expect(counted).toEqual(totals({ pass: 1, fail: 2 }));
    expect([tree.status, ...outline(tree)]).toEqual(['pass', 'a xfail', 'b todo', 'c pass']);
  });

  it('lines of another source are no part of it', () => {
    const { totals: counted } = read('KTAP version 1', '1..1', '[    1.000000] not ok 1 of the kernel', 'ok 1 a');
    expect(counted).toEqual(totals({ pass: 1 }));
    const console = read('vm1> KTAP version 1', 'vm1> 1..1', 'ok 9 elsewhere', 'vm1> not ok 1 a');
    expect(console.totals).toEqual(totals({ fail: 1 }));
  });
});

describe('hostile text', () => {
  const line = fc.oneof(
    fc.string({ maxLength: 30 }),
    fc
      .tuple(
        fc.constantFrom('', '  ', '    ', '\t', '# ', '# # ', '[    1.000000] '),
        fc.constantFrom('KTAP version 1', 'TAP version 13', '1..2', '1..0 # SKIP', '1..99999999', '---', '...'),
      )
      .map(([before, text]) => before + text),
    fc
      .tuple(
        fc.constantFrom('', '  ', '    ', '      ', '# ', '#   '),
        fc.constantFrom('ok 1 a', 'not ok 2 b', 'ok 1 a # SKIP', '# Subtest: a', 'not ok', 'Bail out!', 'ok - x'),
      )
      .map(([before, text]) => before + text),
  );

  it('never throws, loses no failure, and counts what the tree holds', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 40 }), (lines) => {
        const { tree, totals: counted } = readKtap(lines);
        const leaves = (node: KtapNode): number =>
          node.children.length === 0 ? 1 : node.children.reduce((sum, child) => sum + leaves(child), 0);
        const all = counted.pass + counted.fail + counted.skip;
        const skippedDocuments = lines.filter((text) => text.includes('1..0')).length;
        expect(all).toBeLessThanOrEqual(leaves(tree) + outline(tree).length + skippedDocuments);
        if (counted.crashed > 0 || counted.errors > 0) expect(tree.status).not.toBe('pass');
        const paths = outline(tree);
        expect(new Set(paths).size).toBe(paths.length);
      }),
      { numRuns: 1500 },
    );
  });

  it('reads back the tree of any document that is written by the rules', () => {
    type Plain = { name: string; ok: boolean; children: Plain[] };
    const plain = fc.memo<Plain>((depth) =>
      fc.record({
        name: fc.stringMatching(/^[a-z][a-z0-9_.: ]{0,10}[a-z]$/),
        ok: fc.boolean(),
        children: depth <= 1 ? fc.constant([]) : fc.array(plain(depth - 1), { maxLength: 3 }),
      }),
    );
    const write = (tests: Plain[], indent: string): string[] => [
      `${indent}KTAP version 1`,
      `${indent}1..${tests.length}`,
      ...tests.flatMap(({ name, ok, children }, at) => [
        ...(children.length > 0 ? write(children, `${indent}  `) : []),
        `${indent}${ok ? 'ok' : 'not ok'} ${at + 1} ${name}`,
      ]),
    ];
    const shape = (node: KtapNode): unknown => [node.name, node.number, node.children.map(shape)];
    const expected = (test: Plain, at: number): unknown => [test.name, at + 1, test.children.map(expected)];
    fc.assert(
      fc.property(fc.array(plain(4), { minLength: 1, maxLength: 4 }), (tests) => {
        const { tree, totals: counted } = readKtap(write(tests, ''));
        expect(tree.children.map(shape)).toEqual(tests.map(expected));
        expect(counted).toMatchObject({ crashed: 0, errors: 0, skip: 0 });
      }),
    );
  });

  it.each([
    ['results', (at: number) => `ok ${at} a`],
    ['levels', (at: number) => `${' '.repeat(at % 80)}ok 1 a`],
    ['levels in place', (at: number) => (at % 2 === 0 ? '# Subtest: a' : '1..2')],
    ['programs in programs', (at: number) => `# # # # TAP version ${at}`],
    ['names that are taken', (at: number) => `ok 1 a${at % 2 === 0 ? ` (${at})` : ''}`],
  ])('many %s take time in proportion', async (_name, lineAt) => {
    const text = (size: number): string => {
      const lines: string[] = [];
      for (let length = 0, at = 0; length < size; at += 1) length += lines[lines.push(lineAt(at)) - 1]?.length ?? 0;
      return lines.join('\n');
    };
    const growth = await growthOf(text, (input) => readKtap(input.split('\n')));
    expect(growth.perDoubling, JSON.stringify(growth)).toBeLessThan(3);
  });

  it('gives tests of the first level as soon as they are complete', () => {
    const seen: string[] = [];
    const reader = new KtapReader(({ path, line: at }) => void seen.push(`${path} ${at}`));
    for (const [at, text] of ['1..2', '  ok 1 a', 'ok 1 one', 'ok 2 two'].entries()) reader.push(text, at);
    expect(seen).toEqual(['one 2', 'two 3']);
  });
});
