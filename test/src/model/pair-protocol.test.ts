import { describe, expect, it } from 'vitest';
import { explore, NEVER_STUCK } from './explore.js';
import { ALL_PAIR_RULES, pairProtocol, type PairRules } from './pair-protocol.js';

const MAX_STATES = 500_000;

/** What a rule is for: the promise that breaks without it, and how many faults that takes. */
const NEEDED: Record<keyof PairRules, { faults: 0 | 1; promise: string }> = {
  claimsAll: { faults: 0, promise: 'a job that waits holds no machine' },
  stopsPeers: { faults: 1, promise: NEVER_STUCK },
  endsTogether: { faults: 0, promise: 'a job that ended has no open part' },
  expires: { faults: 1, promise: NEVER_STUCK },
  blamesTheFirst: { faults: 1, promise: 'the failure of an attempt is that of a part which failed by itself' },
};

describe('two jobs that want the same two machines of two agents', () => {
  it('keep every promise in every order of events with two faults', () => {
    const { states, steps, violation } = explore(pairProtocol(2), MAX_STATES);
    console.log(`pair protocol: ${states} states, ${steps} steps`);
    expect(violation).toBeNull();
    // Fewer would mean that steps of the model no longer apply.
    expect(states).toBeGreaterThan(2_500);
  }, 120_000);

  it.each(Object.entries(NEEDED))('break a promise without the rule %s', (rule, { faults, promise }) => {
    const { violation } = explore(pairProtocol(faults, { [rule]: false }), MAX_STATES);
    expect(violation?.promise).toBe(promise);
    expect(violation?.trace.filter((step) => step.startsWith('FAULT')).length).toBeLessThanOrEqual(faults);
  });

  it('have a use for each of the rules', () => {
    expect(Object.keys(NEEDED).toSorted()).toEqual(Object.keys(ALL_PAIR_RULES).toSorted());
  });
});
