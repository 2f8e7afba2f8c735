import { DeadlinePassed, pause } from '../timing.js';
import { MachineError } from './errors.js';
import type { Power, PowerState } from './protocols.js';

/** What a BMC or a PDU can be told. Each resolves when the order was taken, not when it was carried out. */
export interface PowerSwitch {
  /** For messages: `BMC 10.0.0.7`. */
  readonly name: string;
  state(signal?: AbortSignal): Promise<PowerState>;
  on(signal?: AbortSignal): Promise<void>;
  off(signal?: AbortSignal): Promise<void>;
  /** null = there is no such order: a reset is off and on. */
  readonly reset: ((signal?: AbortSignal) => Promise<void>) | null;
  /** It tells the state; otherwise orders are believed. */
  readonly tellsState: boolean;
}

export interface SwitchPace {
  /** Between two looks at the state, in milliseconds. */
  pollMs: number;
  /** For a state to be reached after an order. */
  reachMs: number;
  /** Time without the state after which an order is repeated: some BMCs lose one. */
  againMs: number;
  /** Without power, so that capacitors are empty and every device starts anew. */
  coldMs: number;
}

export const SWITCH_PACE: SwitchPace = { pollMs: 1_000, reachMs: 120_000, againMs: 20_000, coldMs: 10_000 };

/**
 * Power over a switch with a state: `on` of a machine that is on and `cycle` of one that is off fail on many BMCs, and
 * `reset` of one that is off answers success and does nothing. So the state is read before and after, and an
 * order is done when the state is reached.
 */
export function switchedPower(control: PowerSwitch, pace: SwitchPace = SWITCH_PACE): Power {
  const bring = async (wanted: 'on' | 'off', signal?: AbortSignal): Promise<void> => {
    const order = (): Promise<void> => (wanted === 'on' ? control.on(signal) : control.off(signal));
    if (!control.tellsState) return order();
    const start = performance.now();
    let orderedAt: number | null = null;
    let refusal: unknown = null;
    for (;;) {
      const state = await control.state(signal);
      if (state === wanted) return;
      if (performance.now() - start >= pace.reachMs) {
        const why = new DeadlinePassed(
          `${control.name} to say that the machine is ${wanted} (it says ${state})`,
          pace.reachMs,
        );
        throw refusal ?? new MachineError('power', why.message, 'look at the BMC or the outlet yourself', why);
      }
      if (orderedAt === null || performance.now() - orderedAt >= pace.againMs) {
        orderedAt = performance.now();
        // A BMC may refuse what it is just doing; the state decides.
        refusal = await order().then(
          () => null,
          (error: unknown) => error,
        );
        signal?.throwIfAborted();
        continue;
      }
      await pause(pace.pollMs, signal);
    }
  };
  const cycle = async (signal?: AbortSignal): Promise<void> => {
    await bring('off', signal);
    await pause(pace.coldMs, signal);
    await bring('on', signal);
  };
  return {
    name: control.name,
    state: (signal) => control.state(signal),
    cycle,
    async reset(signal) {
      if (control.reset === null) return cycle(signal);
      if (control.tellsState && (await control.state(signal)) === 'off') return bring('on', signal);
      await control.reset(signal);
      if (control.tellsState) await bring('on', signal);
    },
  };
}
