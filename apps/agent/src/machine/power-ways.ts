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
