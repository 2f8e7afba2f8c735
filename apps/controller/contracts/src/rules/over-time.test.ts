import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Combination } from '../schema/combination.js';
import { CHANGE_CLASSES } from '../schema/compare.js';
import { RunSide } from '../schema/run-side.js';
import { HistoryCursor, type HistoryEntry } from '../schema/history.js';
import { type Verdict, VERDICTS } from '../schema/verdict.js';
import { classOfChange, isChange } from './change.js';
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

  it('keeps the roles of a job apart, a further one by the kernel that it faced', () => {
    const [server, client, other] = entries(one.hash, 'base pass k0', 'new fail k1', 'new pass k1');
    if (server === undefined || client === undefined || other === undefined) throw new Error('an entry is missing');
    const facing = (build: string) => ({ role: 'client', facing: { role: 'server', build } });
    const [history] = arrangeHistory(
      [
        { ...server, role: 'server' },
        { ...client, ...facing('base') },
        { ...other, ...facing('new') },
      ],
      [one],
    );
    expect(history?.lines.map(({ name }) => name)).toEqual([
      'client new with server base',
      'client new with server new',
      'server base',
    ]);
    expect(history?.counts).toMatchObject({ n: 3, changes: 0 });
  });

  it('puts the oldest left, one line for a build, combinations by label', () => {
    const arranged = arrangeHistory(
      [...entries(one.hash, 'series pass k2', 'base fail k0', 'series fail k1'), ...entries(two.hash, 'base pass k0')],
      [one, two],
    );
    expect(arranged.map((each) => each.combination.label)).toEqual(['first', 'second']);
    expect(arranged[1]?.lines.map(({ name, entries: line }) => [name, line.map(({ verdict }) => verdict)])).toEqual([
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
  for (const text of [
    '',
    at,
    `${at}~x`,
    `0000-01-01T00:00:00Z~${attempt}`,
    `yesterday~${attempt}`,
    `${at}~${attempt.repeat(9)}`,
  ]) {
    expect(HistoryCursor.safeParse(text).success).toBe(false);
  }
});
