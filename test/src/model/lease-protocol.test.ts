import { describe, expect, it } from 'vitest';
import { NEVER_STUCK, explore } from './explore.js';
import { ALL_RULES, type Farm, type Rules, copyOf, decode, encode, startOf } from './farm.js';
import { leaseProtocol } from './lease-protocol.js';

/** Far above what two faults lead to: a model that grew without bounds should say so. */
const MAX_STATES = 2_000_000;

/** What a rule is for: the promise that breaks without it, and how many faults that takes. */
const NEEDED: Record<keyof Rules, { faults: 0 | 1; promise: string }> = {
  claimsOnce: { faults: 0, promise: 'one attempt at a time holds the lease of a machine' },
  fenced: { faults: 1, promise: 'a revoked attempt decides nothing' },
  sequenced: { faults: 1, promise: 'nothing is stored that did not happen, and nothing twice' },
  finishedLast: { faults: 0, promise: 'an attempt that its agent ended is complete' },
  storesRevoked: { faults: 1, promise: NEVER_STUCK },
  deliversDropped: { faults: 1, promise: 'evidence is forgotten by the agent only when it is stored' },
  oneAtATime: { faults: 1, promise: 'one attempt at a time works on a machine' },
  recovers: { faults: 1, promise: NEVER_STUCK },
  reconciles: { faults: 1, promise: NEVER_STUCK },
  helloEndsNothing: {
    faults: 1,
    promise: 'no attempt begins anything on a machine without its lease while clocks are right',
  },
  expires: { faults: 1, promise: NEVER_STUCK },
  quarantines: { faults: 1, promise: 'a machine that was not restored is quarantined' },
  selfFences: {
    faults: 1,
    promise: 'no attempt begins anything on a machine without its lease while clocks are right',
  },
  awaitsRenewal: {
    faults: 1,
    promise: 'no attempt begins anything on a machine without its lease while clocks are right',
  },
  guardsActions: {
    faults: 1,
    promise: 'no attempt begins anything on a machine without its lease while clocks are right',
  },
  countsFromSending: {
    faults: 1,
    promise: 'no attempt begins anything on a machine without its lease while clocks are right',
  },
  machineFence: {
    faults: 1,
    promise: 'no attempt touches a machine on which a newer one has begun, even with wrong clocks and copied agents',
  },
};
const TRACE_MAX = 20;

describe('the lease protocol', () => {
  it('keeps every promise in every order of events with two faults', () => {
    const { states, steps, violation } = explore(leaseProtocol(2), MAX_STATES);
    console.log(`lease protocol: ${states} states, ${steps} steps`);
    expect(violation).toBeNull();
    // Fewer would mean that steps of the model no longer apply.
    expect(states).toBeGreaterThan(100_000);
  }, 300_000);

  it.each(Object.entries(NEEDED))(
    'breaks a promise without the rule %s, by a short way',
    (rule, { faults, promise }) => {
      const { violation } = explore(leaseProtocol(faults, { [rule]: false }), MAX_STATES);
      expect(violation?.promise).toBe(promise);
      expect(violation?.trace.length).toBeLessThanOrEqual(TRACE_MAX);
      expect(violation?.trace.filter((step) => step.startsWith('FAULT')).length).toBeLessThanOrEqual(faults);
    },
    60_000,
  );

  it('has a use for each of its rules', () => {
    expect(Object.keys(NEEDED).sort()).toEqual(Object.keys(ALL_RULES).sort());
  });
});

describe('a state', () => {
  it('is read from its text as it was written, every number in its own place', () => {
    const farm = startOf(2);
    const parts: object[] = [farm, ...farm.attempts];
    for (const part of parts) {
      for (const [key, value] of Object.entries(part)) {
        if (typeof value !== 'number') continue;
        const copy: Farm = copyOf(farm);
        const target: object = part === farm ? copy : copy.attempts[part === farm.attempts[0] ? 0 : 1];
        Object.assign(target, { [key]: 7 });
        expect(decode(encode(copy))).toEqual(copy);
        expect(encode(copy)).not.toBe(encode(farm));
      }
    }
  });
});
