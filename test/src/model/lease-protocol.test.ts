import { describe, expect, it } from 'vitest';
import { explore } from './explore.js';
import { leaseProtocol } from './lease-protocol.js';

const MAX_STATES = 3_000_000;

describe('the lease protocol', () => {
  it('keeps every promise in every order of events with two faults', () => {
    const { states, steps, violation } = explore(leaseProtocol(2), MAX_STATES);
    console.log(`${states} states, ${steps} steps`);
    expect(violation).toBeNull();
    expect(states).toBeGreaterThan(1000);
  }, 300_000);
});
