import type { MachineGuard } from '../machine/guarded-machine.js';
import { DeadlinePassed } from '../timing.js';
import type { Pace } from './pace.js';

export type PowerOrder = (signal?: AbortSignal) => Promise<void>;

/** @property guard null = no other work can take the machine meanwhile */
export interface TimedOrder {
  readonly pace: Pick<Pace, 'powerMs'>;
  readonly guard: Pick<MachineGuard, 'check'> | null;
}

/** How often it is looked at whether the machine is still this attempt's, in milliseconds: less than between two orders of a driver. */
const CHECK_MS = 250;

/**
 * A driver that never ends keeps no other rung from being tried. It gives several orders, minutes apart: none of them may come after
 * the machine was given to another attempt.
 */
export async function inTime({ pace, guard }: TimedOrder, order: PowerOrder, signal: AbortSignal): Promise<void> {
  const late = new AbortController();
  const passed = new DeadlinePassed('what the power driver was told', pace.powerMs);
  const timer = setTimeout(() => late.abort(passed), pace.powerMs);
  const checks = setInterval(() => {
    try {
      guard?.check();
    } catch (taken) {
      late.abort(taken);
    }
  }, CHECK_MS);
  const stop = AbortSignal.any([signal, late.signal]);
  const ends = new Promise<never>((_, reject) => {
    stop.addEventListener('abort', () => reject(stop.reason as Error), { once: true });
  });
  try {
    await Promise.race([order(stop), ends]);
  } finally {
    clearTimeout(timer);
    clearInterval(checks);
  }
}
