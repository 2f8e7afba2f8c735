import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PowerState } from './protocols.js';
import { type PowerSwitch, type SwitchPace, switchedPower } from './switched-power.js';

const PACE: SwitchPace = { pollMs: 1, reachMs: 5_000, againMs: 4, coldMs: 1 };

/** How a BMC behaves that is not perfect. */
interface Quirks {
  /** Answers before the state follows. */
  lag: number;
  /** Orders that it takes and forgets. */
  forgets: number;
  /** It refuses `on` of a machine that is on and `off` of one that is off. */
  refusesSame: boolean;
  reset: boolean;
}

class FakeBmc implements PowerSwitch {
  readonly name = 'a BMC';
  readonly tellsState = true;
  readonly reset: PowerSwitch['reset'];
  current: 'on' | 'off';
  readonly orders: string[] = [];
  #next: { state: 'on' | 'off'; afterLooks: number } | null = null;
  #forgets: number;
  readonly #quirks: Quirks;

  constructor(current: 'on' | 'off', quirks: Quirks) {
    this.current = current;
    this.#quirks = quirks;
    this.#forgets = quirks.forgets;
    this.reset = quirks.reset
      ? async () => {
          // On a machine that is off: success, and nothing happens.
          this.orders.push(`reset while ${this.current}`);
        }
      : null;
  }

  async state(): Promise<PowerState> {
    if (this.#next !== null) {
      if (this.#next.afterLooks <= 0) {
        this.current = this.#next.state;
        this.#next = null;
      } else {
        this.#next.afterLooks -= 1;
      }
    }
    return this.current;
  }

  on = (): Promise<void> => this.#order('on');
  off = (): Promise<void> => this.#order('off');

  async #order(state: 'on' | 'off'): Promise<void> {
    this.orders.push(`${state} while ${this.current}`);
    if (this.#quirks.refusesSame && this.current === state) throw new Error('Command not supported in present state');
    if (this.#forgets > 0) {
      this.#forgets -= 1;
      return;
    }
    this.#next ??= { state, afterLooks: this.#quirks.lag };
  }
}

const quirks = fc.record({
  lag: fc.integer({ min: 0, max: 3 }),
  forgets: fc.integer({ min: 0, max: 2 }),
  refusesSame: fc.boolean(),
  reset: fc.boolean(),
});

describe('a machine over a switch with a state', () => {
  it('is on after a reset, whatever it was and whatever the BMC is like; a reset is only sent to one that is on', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('on' as const, 'off' as const), quirks, async (before, how) => {
        const bmc = new FakeBmc(before, how);
        await switchedPower(bmc, PACE).reset();
        expect(bmc.current).toBe('on');
        expect(bmc.orders).not.toContain('reset while off');
        expect(bmc.orders.length).toBeGreaterThan(0);
      }),
      { numRuns: 60 },
    );
  });

  it('was off in between after a cycle', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('on' as const, 'off' as const), quirks, async (before, how) => {
        const bmc = new FakeBmc(before, how);
        await switchedPower(bmc, PACE).cycle?.();
        expect(bmc.current).toBe('on');
        expect(bmc.orders.filter((order) => order.startsWith('on'))).toContain('on while off');
      }),
      { numRuns: 60 },
    );
  });

  it('that never reaches the state ends with what it says, or with what the BMC answers', async () => {
    const stuck: PowerSwitch = {
      name: 'BMC 10.0.0.7',
      tellsState: true,
      state: async () => 'off',
      on: async () => undefined,
      off: async () => undefined,
      reset: null,
    };
    const pace = { ...PACE, reachMs: 30 };
    await expect(switchedPower(stuck, pace).reset()).rejects.toThrow(
      /BMC 10\.0\.0\.7 to say that the machine is on \(it says off\)/,
    );
    const refusing = { ...stuck, on: () => Promise.reject(new Error('insufficient privilege')) };
    await expect(switchedPower(refusing, pace).reset()).rejects.toThrow('insufficient privilege');
  });

  it('that tells no state is ordered once', async () => {
    const orders: string[] = [];
    const blind: PowerSwitch = {
      name: 'a relay',
      tellsState: false,
      state: async () => 'unknown',
      on: async () => void orders.push('on'),
      off: async () => void orders.push('off'),
      reset: null,
    };
    await switchedPower(blind, PACE).reset();
    expect(orders).toEqual(['off', 'on']);
  });
});
