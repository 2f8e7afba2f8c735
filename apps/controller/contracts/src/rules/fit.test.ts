import { describe, expect, it } from 'vitest';
import { AttemptEvent, cleanText, cutText, fitTo, PLAN_MAX, REASON_MAX } from '../index.js';

describe('cutting a text', () => {
  it('keeps what fits, ends with a mark, and never halves a character', () => {
    expect(cutText('short', 5)).toBe('short');
    expect(cutText('longer', 5)).toBe('long…');
    expect(cutText('💩💩💩', 4)).toBe('💩…');
    expect(cleanText('a\u0000\n\u2028\ud800b', 20)).toBe('a\ufffd\ufffd\ufffd\ufffdb');
  });
});

describe('an event that is larger than its peer takes', () => {
  const result = {
    suite: 'p2p',
    test: 't',
    status: 'fail',
    reason: null,
    durationMs: 1,
    proof: null,
    warnings: [],
    signature: null,
    log: null,
  };

  it('is cut to the maxima of the contract, the rest of it kept', () => {
    const long = {
      type: 'result',
      result: { ...result, reason: 'r'.repeat(1e6), warnings: Array(1e5).fill('w'.repeat(30)) },
    };
    expect(AttemptEvent.safeParse(long).success).toBe(false);
    const cut = fitTo(AttemptEvent, long);
    expect(cut).toMatchObject({ result: { suite: 'p2p', test: 't', reason: expect.stringMatching(/^r+…$/) } });
    expect(cut.type === 'result' && cut.result.reason).toHaveLength(REASON_MAX);
    expect(long.result.warnings).toHaveLength(1e5);
    const plan = fitTo(AttemptEvent, { type: 'plan', suite: 's', tests: Array(6000).fill('t'.repeat(5000)) });
    expect(plan.type === 'plan' && plan.tests).toHaveLength(PLAN_MAX);
  });

  it('throws for what no cut mends, and takes what fits as it is', () => {
    expect(() => fitTo(AttemptEvent, { type: 'result', result: { ...result, durationMs: -1 } })).toThrow();
    const event = { type: 'result', result };
    expect(fitTo(AttemptEvent, event)).toEqual(event);
  });
});
