import { adviceOf, MachineError } from './errors.js';
import type { Machine, Power } from './protocols.js';

/** One way to the power of a machine. */
export interface PowerWay {
  /** How logs and checks call it: `power 2`; null = it is the only one. */
  readonly label: string | null;
  /** Behind the name of an order in a log: ` by power 2 (BMC 10.0.0.7)`; empty for the only one. */
  readonly by: string;
  readonly power: Power;
}

/** Every way to the power of a machine, in the order in which they are tried; empty = there is none. */
export function powerWays({ power, otherPower }: Pick<Machine, 'power' | 'otherPower'>): PowerWay[] {
  if (power === null) return [];
  if (otherPower.length === 0) return [{ label: null, by: '', power }];
  return [power, ...otherPower].map((each, index) => {
    const label = `power ${index + 1}`;
    return { label, by: ` by ${label} (${each.name})`, power: each };
  });
}

/**
 * Resets a machine by the first of its ways to power that does it. Each one that fails is told to `note`, and so is the one that
 * did it, where there are several. Rejects with the error of the only way, or with MachineError('power') that has all of
 * them; and with the reason of the signal, or a refusal by the fence, which no other way gets around.
 */
export async function resetPower(
  machine: Pick<Machine, 'name' | 'power' | 'otherPower'>,
  note: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const failed: string[] = [];
  for (const { label, by, power } of powerWays(machine)) {
    try {
      await power.reset(signal);
      if (label !== null) note(`power: reset of ${machine.name}${by} was carried out`);
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (label === null || (error instanceof MachineError && error.kind === 'fenced')) throw error;
      const text = `reset${by} failed: ${adviceOf(error)}`;
      failed.push(text);
      note(`power: ${text}`);
    }
  }
  throw new MachineError('power', failed.join('; '));
}
