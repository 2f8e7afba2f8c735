import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Combination } from '../schema/combination.js';
import { CHANGE_CLASSES, RunSide } from '../schema/compare.js';
import { HistoryCursor, type HistoryEntry } from '../schema/history.js';
import { type Verdict, VERDICTS } from '../schema/verdict.js';
import { areSpreadsApart, changePoints, classOfChange, isChange, judgeRatio } from './change.js';
import { chooseBuilds, runSideText } from './compared-builds.js';
import { arrangeHistory } from './history.js';
import { isConclusive } from './verdict.js';

const verdict = fc.constantFrom(...VERDICTS);
const maybeVerdict = fc.option(verdict);

describe('isChange', () => {
  it('is symmetric, never between equals, and never with a verdict that says nothing of the kernel', () => {
    fc.assert(
      fc.property(verdict, verdict, (a, b) => {
        expect(isChange(a, b)).toBe(isChange(b, a));
        expect(isChange(a, a)).toBe(false);
        expect(isChange(a, b)).toBe(isConclusive(a) && isConclusive(b) && a !== b);
      }),
    );
  });
  it('is what regressions and fixes are made of', () => {
    fc.assert(
      fc.property(verdict, verdict, (a, b) => {
        const isJudged = ['regressed', 'fixed'].includes(classOfChange(a, b));
        expect(isJudged).toBe(isChange(a, b) && (a === 'pass') !== (b === 'pass'));
      }),
    );
  });
});

describe('areSpreadsApart', () => {
  it('is symmetric and false for ranges that touch', () => {
    const spread = fc
      .tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 }))
      .map(([x, y]) => ({ lowerQuartile: Math.min(x, y), upperQuartile: Math.max(x, y) }));
    fc.assert(
      fc.property(spread, spread, (a, b) => {
        expect(areSpreadsApart(a, b)).toBe(areSpreadsApart(b, a));
        const shared = Array.from({ length: 10 }, (_, value) => value).filter((value) =>
          [a, b].every(({ lowerQuartile, upperQuartile }) => lowerQuartile <= value && value <= upperQuartile),
        );
        expect(areSpreadsApart(a, b)).toBe(shared.length === 0);
      }),
    );
  });
});

describe('classOfChange', () => {
  const mirrored = {
    regressed: 'fixed',
    fixed: 'regressed',
    new: 'gone',
    gone: 'new',
    changed: 'changed',
    same: 'same',
  };

  it('is mirrored when the sides are swapped', () => {
    fc.assert(
      fc.property(maybeVerdict, maybeVerdict, (a, b) => {
        expect(classOfChange(b, a)).toBe(mirrored[classOfChange(a, b)]);
      }),
    );
  });

  it('is the same exactly when nothing differs', () => {
    fc.assert(
      fc.property(maybeVerdict, maybeVerdict, (a, b) => {
        expect(classOfChange(a, b) === 'same').toBe(a === b);
      }),
    );
  });

  it('blames or praises the kernel only for what says something of it', () => {
    fc.assert(
      fc.property(verdict, verdict, (a, b) => {
        const change = classOfChange(a, b);
        if (change !== 'regressed' && change !== 'fixed') return;
        expect(isConclusive(a) && isConclusive(b)).toBe(true);
        expect(change === 'regressed' ? a : b).toBe('pass');
      }),
    );
  });

  it.each([
    ['pass', 'crash', 'regressed'],
    ['bounced', 'pass', 'fixed'],
    ['bounced', 'crash', 'changed'],
    ['pass', 'infra', 'changed'],
    ['pass', 'not-reached', 'changed'],
    ['skip', 'pass', 'changed'],
    [null, 'fail', 'new'],
    ['pass', null, 'gone'],
  ] as const)('%s to %s is %s', (a, b, expected) => {
    expect(classOfChange(a, b)).toBe(expected);
    expect(CHANGE_CLASSES).toContain(expected);
  });
});

describe('judgeRatio', () => {
  const many = { a: 30, b: 30 };

  it('turns round with the sides and with the direction', () => {
    const positive = fc.double({ min: 0.01, max: 100, noNaN: true });
    fc.assert(
      fc.property(positive, positive, fc.constantFrom('lower' as const, 'higher' as const), (x, y, better) => {
        const [low, high] = x <= y ? [x, y] : [y, x];
        const { says } = judgeRatio({ value: low, low, high }, better, many);
        const opposite = { better: 'worse', worse: 'better', unclear: 'unclear' }[says];
        expect(judgeRatio({ value: 1 / low, low: 1 / high, high: 1 / low }, better, many).says).toBe(opposite);
        expect(judgeRatio({ value: low, low, high }, better === 'lower' ? 'higher' : 'lower', many).says).toBe(
          opposite,
        );
        expect(says === 'unclear').toBe(low <= 1 && high >= 1);
      }),
    );
  });

  it('asks for more runs where more could help', () => {
    const unclear = { value: 1, low: 0.9, high: 1.1 };
    expect(judgeRatio(unclear, 'lower', many)).toEqual({ says: 'unclear', moreRunsNeeded: false });
    expect(judgeRatio(unclear, 'lower', { a: 5, b: 30 }).moreRunsNeeded).toBe(true);
    expect(judgeRatio({ value: 2, low: null, high: null }, 'lower', { a: 3, b: 3 }).moreRunsNeeded).toBe(true);
    expect(judgeRatio(null, 'lower', { a: 0, b: 9 }).moreRunsNeeded).toBe(true);
    expect(judgeRatio({ value: 2, low: 1.9, high: 2.1 }, 'lower', { a: 4, b: 4 })).toEqual({
      says: 'worse',
      moreRunsNeeded: false,
    });
  });
});

describe('sides', () => {
  const run = '6f1d3c1e-8c1a-4b52-9d0c-0b8f7a3f4b11';

  it('are read back as they were written, and nothing else is', () => {
    expect(RunSide.parse(runSideText(run, 'dma-alias'))).toEqual({ run, build: 'dma-alias' });
    expect(RunSide.parse(runSideText(run, null))).toEqual({ run, build: null });
    for (const text of ['', 'x', `${run}~`, `${run}~a b`, `${run}~a~b`, `~base`]) {
      expect(RunSide.safeParse(text).success).toBe(false);
    }
  });

  it('default to first and last of one run, and to like and like of two', () => {
    const of = (build: string | null, ...builds: string[]) => ({ build, builds });
    const one = of(null, 'base', 'v1', 'v2');
    expect(chooseBuilds(one, one, true)).toEqual({ a: 'base', b: 'v2' });
    expect(chooseBuilds(of('v1', 'base', 'v1'), of(null, 'base', 'v1'), true)).toEqual({ a: 'v1', b: 'v1' });
    expect(chooseBuilds(of(null, 'base', 'v2', 'x'), one, false)).toEqual({ a: 'v2', b: 'v2' });
    expect(chooseBuilds(of(null, 'base', 'x'), one, false)).toEqual({ a: 'x', b: 'v2' });
    expect(chooseBuilds(of(null), of('gone', 'base'), false)).toEqual({ a: null, b: 'gone' });
  });
});

describe('arrangeHistory', () => {
  const combination = (hash: string, label: string): Combination => ({
    hash: hash.repeat(64),
    label,
    identity: {
      provider: 'p',
      client: 'c',
      pathKind: 'BUS_ADDR',
      platform: { system: 's', cpuVendor: 'v', cpuFamily: 1, iommu: 'none' },
    },
  });
  const [one, two] = [combination('a', 'second'), combination('b', 'first')];
  /** Newest first, as `build verdict kernel`. */
  const entries = (hash: string, ...texts: string[]): HistoryEntry[] =>
    texts.map((text, index) => {
      const [name = '', said = '', buildId = null] = text.split(' ');
      return {
        attemptId: '6f1d3c1e-8c1a-4b52-9d0c-0b8f7a3f4b11',
        verdict: said as Verdict,
        reason: null,
        durationMs: null,
        log: null,
        at: new Date(1e12 - index).toISOString(),
        run: { id: '6f1d3c1e-8c1a-4b52-9d0c-0b8f7a3f4b12', name: 'r' },
        kernel: { id: '00000000-0000-4000-8000-000000000000', name, release: null, buildId },
        machine: 'm',
        combination: hash,
      };
    });

  it('puts the oldest left, one line for a build, combinations by label', () => {
    const arranged = arrangeHistory(
      [...entries(one.hash, 'series pass k2', 'base fail k0', 'series fail k1'), ...entries(two.hash, 'base pass k0')],
      [one, two],
    );
    expect(arranged.map((each) => each.combination.label)).toEqual(['first', 'second']);
    expect(arranged[1]?.lines.map(({ build, entries: line }) => [build, line.map(({ verdict }) => verdict)])).toEqual([
      ['base', ['fail']],
      ['series', ['fail', 'pass']],
    ]);
  });

  it('counts changes within a line, over what says nothing, and apart those on one kernel', () => {
    const [history] = arrangeHistory(
      entries(
        one.hash,
        's pass k2',
        's fail k2',
        's infra k2',
        's pass k2',
        's fail k1',
        'base pass k0',
        's skip k1',
        's fail k1',
      ),
      [one],
    );
    expect(history?.counts).toEqual({ n: 8, conclusive: 6, passed: 3, changes: 3, changesOnSameKernel: 2 });
  });

  it('does not take two unknown kernels for the same', () => {
    const [history] = arrangeHistory(entries(one.hash, 's pass', 's fail'), [one]);
    expect(history?.counts).toMatchObject({ changes: 1, changesOnSameKernel: 0 });
  });
});

it('a history cursor keeps the microseconds', () => {
  const [at, attempt] = ['2026-11-22T10:00:00.123456Z', '6f1d3c1e-8c1a-4b52-9d0c-0b8f7a3f4b11'];
  expect(HistoryCursor.parse(`${at}~${attempt}`)).toEqual({ at, id: attempt });
  for (const text of ['', at, `${at}~x`, `0000-01-01T00:00:00Z~${attempt}`, `yesterday~${attempt}`]) {
    expect(HistoryCursor.safeParse(text).success).toBe(false);
  }
});

describe('changePoints', () => {
  const level = (...medians: number[]) =>
    medians.map((median) => ({ median, lowerQuartile: median - 1, upperQuartile: median + 1 }));

  it.each([
    ['a step up', [10, 10, 20, 20], [{ index: 2, direction: 'up' }]],
    ['a step down', [10, 10, 10, 5, 5], [{ index: 3, direction: 'down' }]],
    ['one stray point', [10, 10, 20, 10, 10], []],
    ['the last point alone', [10, 10, 10, 20], []],
    ['noise within the quartiles', [10, 10.5, 9.6, 10.2, 10.4, 9.8], []],
    ['a move over three points: its largest step', [10, 10, 13, 20, 20], [{ index: 3, direction: 'up' }]],
    [
      'there and back',
      [10, 10, 20, 20, 10, 10],
      [
        { index: 2, direction: 'up' },
        { index: 4, direction: 'down' },
      ],
    ],
    ['nothing', [], []],
  ] as const)('%s', (_, medians, expected) => {
    expect(changePoints(level(...medians))).toEqual(expected);
  });

  it('are the same upside down and in another unit', () => {
    const medians = fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 14 });
    fc.assert(
      fc.property(medians, (values) => {
        const found = changePoints(level(...values));
        const turned = changePoints(level(...values.map((value) => -value)));
        expect(turned).toEqual(
          found.map(({ index, direction }) => ({ index, direction: direction === 'up' ? 'down' : 'up' })),
        );
        const doubled = level(...values).map(({ median, lowerQuartile, upperQuartile }) => ({
          median: median * 2,
          lowerQuartile: lowerQuartile * 2,
          upperQuartile: upperQuartile * 2,
        }));
        expect(changePoints(doubled)).toEqual(found);
      }),
    );
  });
});
