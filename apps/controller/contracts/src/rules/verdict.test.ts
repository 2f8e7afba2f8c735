import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  expectedPath,
  attestPath,
  bySeverity,
  exitCodeOf,
  countVerdicts,
  judge,
  PathKind,
  proofText,
  type Proof,
  VERDICT_TABLE,
  type Verdict,
  VERDICTS,
  verdictOfAttempt,
  verdictOfFailure,
  worstVerdict,
} from '../index.js';

const proof = (part: Partial<Proof>): Proof => ({
  test: 't',
  expected: 'peer',
  taken: 'BUS_ADDR',
  detail: { 'alias pages': 4 },
  ...part,
});
const passed = (p: Proof | null, warnings: string[] = []) => ({
  status: 'pass' as const,
  reason: null,
  proof: p,
  warnings,
  signature: null,
});

describe('judge', () => {
  it('believes a pass only when the counters agree with the predicted path', () => {
    expect(judge(passed(proof({})), 'BUS_ADDR').verdict).toBe('pass');
    expect(judge(passed(proof({ taken: 'ram' })), 'BUS_ADDR')).toEqual({
      verdict: 'bounced',
      reason: 'data right, but all of it went through RAM; expected BUS_ADDR',
    });
    expect(judge(passed(proof({ taken: 'THRU_HOST_BRIDGE' })), 'BUS_ADDR').verdict).toBe('bounced');
  });
  it('expects the fallback where there is no path', () => {
    expect(judge(passed(proof({ taken: 'ram' })), 'NOT_SUPPORTED').verdict).toBe('pass');
    expect(judge(passed(proof({})), 'NOT_SUPPORTED').verdict).toBe('fail');
  });
  it('refuses an alias where RAM was required', () => {
    expect(judge(passed(proof({ expected: 'ram' })), 'BUS_ADDR').verdict).toBe('fail');
    expect(judge(passed(proof({ expected: 'ram', taken: 'ram' })), 'BUS_ADDR').verdict).toBe('pass');
  });
  it('taints a pass that came with kernel warnings', () => {
    expect(judge(passed(null, ['lockdep: x']), 'BUS_ADDR')).toEqual({ verdict: 'tainted', reason: 'lockdep: x' });
  });
  it('never turns anything but a pass into a pass', () => {
    const status = fc.constantFrom(
      'fail' as const,
      'crash' as const,
      'timeout' as const,
      'not-reached' as const,
      'no-result' as const,
      'skip' as const,
    );
    fc.assert(
      fc.property(status, (s) => {
        expect(judge({ ...passed(proof({})), status: s }, 'BUS_ADDR').verdict).not.toBe('pass');
      }),
    );
  });
});

describe('verdict order', () => {
  it('finds the worst whatever the order', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...VERDICTS), { minLength: 1 }), (list) => {
        const worst = worstVerdict(list);
        expect(list).toContain(worst);
        for (const verdict of list) {
          expect(VERDICTS.indexOf(verdict)).toBeGreaterThanOrEqual(VERDICTS.indexOf(worst ?? 'skip'));
        }
        expect(worstVerdict([...list].reverse())).toBe(worst);
        expect(worstVerdict([...list, 'skip'])).toBe(worst);
      }),
    );
  });
  it('sums up skips alone as skip', () => {
    expect(worstVerdict(['skip', 'skip'])).toBe('skip');
    expect(worstVerdict(['skip', 'pass'])).toBe('pass');
    expect(worstVerdict([])).toBeNull();
  });
  it('lets no suite without a result pass, nor call it a finding', () => {
    const judged = judge({ ...passed(proof({})), status: 'no-result', reason: 'a.c:3: no x.h' }, 'BUS_ADDR');
    expect(judged).toEqual({ verdict: 'no-result', reason: 'a.c:3: no x.h' });
    expect(worstVerdict(['pass', 'no-result', 'skip'])).toBe('no-result');
    expect(worstVerdict(['no-result', 'fail'])).toBe('fail');
  });
  it('ranks every verdict by its place in VERDICTS', () => {
    expect(VERDICTS.map((verdict) => VERDICT_TABLE[verdict].rank)).toEqual(VERDICTS.map((_, place) => place));
    expect(VERDICTS.toSorted(bySeverity)).toEqual(VERDICTS);
  });
  it('says of every verdict whether it is conclusive, wrong, and which exit code it has', () => {
    const having = (column: 'conclusive' | 'wrong'): Verdict[] => VERDICTS.filter((v) => VERDICT_TABLE[v][column]);
    expect(having('conclusive')).toEqual(['crash', 'fail', 'bounced', 'tainted', 'flaky', 'pass']);
    expect(having('wrong')).toEqual(['crash', 'fail', 'bounced', 'tainted', 'flaky', 'infra', 'no-result']);
    const exiting = (code: number): Verdict[] => VERDICTS.filter((v) => exitCodeOf(v) === code);
    expect(exiting(0)).toEqual(['pass', 'skip']);
    expect(exiting(2)).toEqual(['infra', 'no-result', 'canceled']);
    expect(VERDICTS.filter((v) => VERDICT_TABLE[v].spoilsBoot)).toEqual(['infra', 'canceled']);
  });
  it('tells every verdict apart by letter and icon', () => {
    const rows = Object.values(VERDICT_TABLE);
    expect(new Set(rows.map((r) => r.letter)).size).toBe(VERDICTS.length);
    expect(new Set(rows.map((r) => r.icon)).size).toBe(VERDICTS.length);
  });
  it('never calls infrastructure trouble a pass or a finding', () => {
    expect(verdictOfFailure('infrastructure')).toBe('infra');
    expect(exitCodeOf('infra')).toBe(2);
    expect(exitCodeOf(null)).toBe(2);
    expect(exitCodeOf('bounced')).toBe(1);
    expect(exitCodeOf('skip')).toBe(0);
  });
});

describe('a kernel whose source changes the rule for paths', () => {
  const judged = (more: Partial<Proof>, warnings: string[] = []) =>
    judge({ ...passed(proof(more)), warnings }, 'unknown');

  it('does not fail for the way that its data takes, and does not pass for RAM either', () => {
    for (const taken of ['BUS_ADDR', 'THRU_HOST_BRIDGE'])
      expect(judged({ taken })).toEqual({ verdict: 'pass', reason: null });
    expect(judged({ taken: 'ram' })).toMatchObject({
      verdict: 'skip',
      reason: expect.stringContaining('no path is predicted') as string,
    });
    expect(judged({ taken: 'ram' }, ['WARNING: x'])).toEqual({ verdict: 'tainted', reason: 'WARNING: x' });
  });

  it('is judged by its counters and by what a test asks of RAM, as any other', () => {
    expect(judged({ detail: {} })).toMatchObject({ verdict: 'bounced' });
    expect(judged({ detail: { 'alias pages': 0 } })).toMatchObject({ verdict: 'bounced' });
    expect(judged({ expected: 'ram' })).toMatchObject({ verdict: 'fail' });
    expect(judged({ expected: 'ram', taken: 'ram' })).toMatchObject({ verdict: 'pass' });
    expect(judge({ ...passed(proof({})), status: 'fail', reason: 'wrong data' }, 'unknown').verdict).toBe('fail');
  });

  it('has words that say so', () => {
    expect(proofText(proof({}), 'unknown')).toMatch(/^BUS_ADDR; .*no path is predicted$/);
    expect(proofText(proof({ taken: 'ram' }), 'unknown')).toMatch(/^RAM; .*no path is predicted$/);
    expect(proofText(proof({ detail: {} }), 'unknown')).toContain('claimed, but not proven');
    expect(attestPath(proof({}), 'unknown').items[0]).toMatchObject({ name: 'map type', says: 'beside' });
    expect(expectedPath({ predicted: 'unknown' }, 'BUS_ADDR')).toBe('unknown');
    expect(expectedPath({}, 'BUS_ADDR')).toBe('BUS_ADDR');
  });
});

describe('the words of a proof', () => {
  it('say what was expected, so that RAM by itself never looks like a fault', () => {
    expect(proofText(proof({}), 'BUS_ADDR')).toBe('BUS_ADDR, as the topology predicts');
    expect(proofText(proof({ taken: 'ram' }), 'BUS_ADDR')).toBe('RAM, but the topology predicts BUS_ADDR');
    expect(proofText(proof({ taken: 'ram' }), 'NOT_SUPPORTED')).toBe('RAM, as expected: no peer path exists here');
    expect(proofText(proof({ taken: 'ram', expected: 'ram' }), 'BUS_ADDR')).toBe('RAM, as the test expects');
    expect(proofText(proof({ expected: 'ram' }), 'BUS_ADDR')).toBe('BUS_ADDR, but the test expects RAM');
    expect(proofText(proof({ taken: 'ram', expected: 'any' }), 'BUS_ADDR')).toMatch(/expects no particular way/);
  });

  it('object exactly where the verdict does', () => {
    const taken = fc.constantFrom('ram', ...PathKind.options);
    const expected = fc.constantFrom('peer' as const, 'ram' as const, 'any' as const);
    fc.assert(
      fc.property(taken, expected, fc.constantFrom(...PathKind.options), (way, wanted, kind) => {
        const shown = proof({ taken: way, expected: wanted });
        const objects = /, but |does not exist/.test(proofText(shown, kind));
        expect(objects).toBe(judge(passed(shown), kind).verdict !== 'pass');
      }),
    );
  });
});

it('an attempt has a verdict when it has ended: the worst of its results and of its failure', () => {
  const results = [{ verdict: 'pass' }, { verdict: 'tainted' }, { verdict: 'pass' }] as const;
  expect(verdictOfAttempt({ state: 'running', failure: null, results })).toBeNull();
  expect(verdictOfAttempt({ state: 'ended', failure: null, results })).toBe('tainted');
  expect(verdictOfAttempt({ state: 'ended', failure: { class: 'provisioning' }, results })).toBe('fail');
  expect(verdictOfAttempt({ state: 'ended', failure: { class: 'canceled' }, results: [] })).toBe('canceled');
  expect(countVerdicts(results)).toEqual({ pass: 2, tainted: 1 });
});
