import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  effectiveTimeouts,
  LOG_LINE_MAX,
  mayMove,
  problemItems,
  RunSpec,
  storableLines,
  whyNotSelected,
} from '../index.js';

const errorsOf = (value: unknown) => {
  const parsed = RunSpec.safeParse(value);
  return parsed.success ? [] : problemItems(parsed.error);
};

describe('RunSpec', () => {
  it('fills in defaults', () => {
    expect(RunSpec.parse({ name: 'x', builds: [{ name: 'patched', series: ['bundled'] }] })).toMatchObject({
      suites: [],
      machines: {},
      priority: 50,
      timeouts: {},
    });
  });
  it('names unknown fields and their place', () => {
    expect(errorsOf({ name: 'x', builds: [{ name: 'a', series: [], sereis: 1 }] })).toEqual([
      { path: 'builds.0.sereis', message: 'unknown field "sereis"', remedy: 'remove it or correct its spelling' },
    ]);
  });
  it('wants either series or bundle, and names once', () => {
    expect(errorsOf({ name: 'x', builds: [{ name: 'a' }] })[0]).toMatchObject({ path: 'builds.0' });
    const twice = { name: 'a', series: [] };
    expect(errorsOf({ name: 'x', builds: [twice, twice] })).toEqual([
      { path: 'builds.1.name', message: 'the name "a" is used twice' },
    ]);
  });
});

describe('suites by build and machine', () => {
  const builds = [{ name: 'a', series: [], suites: ['p2p-perf', 'kunit'] }];
  it('are suites of the run', () => {
    expect(errorsOf({ name: 'x', builds, suites: ['p2p-perf'], suiteMachines: { 'hmm-tests': {} } })).toEqual([
      { path: 'builds.0.suites.1', message: 'the run has no suite "kunit"; add it to suites' },
      { path: 'suiteMachines.hmm-tests', message: 'the run has no suite "hmm-tests"; add it to suites' },
    ]);
    // Which suites the farm runs by default is not known here.
    expect(errorsOf({ name: 'x', builds })).toEqual([]);
    expect(errorsOf({ name: 'x', builds, suites: [] })[0]).toMatchObject({ path: 'suites' });
    expect(errorsOf({ name: 'x', builds, suites: ['p2p-perf', 'kunit'], suiteMachines: { kunit: {} } })).toEqual([]);
  });
});

describe('effectiveTimeouts', () => {
  const suites = [{ timeoutSeconds: 300 }, { timeoutSeconds: 3600 }];
  it('gives a slow kernel longer to boot, and an attempt what its suites may take', () => {
    expect(effectiveTimeouts({}, 1, [])).toEqual({ bootSeconds: 300, attemptSeconds: 1800 });
    expect(effectiveTimeouts({}, 1, suites)).toEqual({ bootSeconds: 300, attemptSeconds: 4800 });
    expect(effectiveTimeouts({}, 3, suites)).toEqual({ bootSeconds: 900, attemptSeconds: 6600 });
  });
  it('leaves what a person has set', () => {
    const given = { bootSeconds: 60, attemptSeconds: 120 };
    expect(effectiveTimeouts(given, 3, suites)).toEqual(given);
  });
});

describe('whyNotSelected', () => {
  const machine = {
    name: 'v-switch',
    labels: { lab: 'virtual' },
    paths: [{ kind: 'BUS_ADDR' as const, combination: { hash: 'a'.repeat(64) } }],
  };
  it('says which condition fails', () => {
    expect(whyNotSelected({}, machine)).toBeNull();
    expect(whyNotSelected({ names: ['other'] }, machine)).toContain('other');
    expect(whyNotSelected({ labels: { lab: 'real' } }, machine)).toBe('has no label lab=real (it has lab=virtual)');
    expect(whyNotSelected({ paths: ['NOT_SUPPORTED'] }, machine)).toContain('NOT_SUPPORTED');
    expect(whyNotSelected({ combinations: ['a'.repeat(64)] }, machine)).toBeNull();
    expect(whyNotSelected({ combinations: ['b'.repeat(64)] }, machine)).toBe(
      'has no pair of the combination bbbbbbbbbbbb',
    );
  });
});

describe('states', () => {
  it('never leaves ended', () => {
    expect(mayMove('run', 'ended', 'running')).toBe(false);
    expect(mayMove('job', 'running', 'queued')).toBe(true);
    expect(mayMove('attempt', 'assigned', 'ended')).toBe(true);
    expect(mayMove('attempt', 'ended', 'running')).toBe(false);
  });
});

describe('storableLines', () => {
  it('keeps every character of long lines and never splits a pair', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 50 }), fc.nat(3), (piece, times) => {
        const text = `${piece}é😀`.repeat(1 + times * 2000);
        const parts = storableLines(text);
        expect(parts.join('')).toBe(text.replaceAll('\u0000', '\u2400'));
        for (const part of parts) {
          expect(part.length).toBeLessThanOrEqual(LOG_LINE_MAX);
          expect(part.isWellFormed()).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });
  it('replaces what Postgres cannot hold', () => {
    expect(storableLines('a\u0000b\ud800c')).toEqual(['a\u2400b\ufffdc']);
  });
});
