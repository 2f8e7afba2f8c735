import { pairText, type DevicePair } from '../schema/paths.js';

/** Where something was tested. */
export interface TestedPlace {
  machine: string | null;
  pair: DevicePair | null;
}

/** The machine of each place, with the devices where these places are about several pairs of that machine. */
export function placeNames(places: readonly TestedPlace[]): string[] {
  const pairs = new Map<string | null, Set<string>>();
  for (const { machine, pair } of places) {
    if (pair === null) continue;
    const known = pairs.get(machine) ?? new Set();
    pairs.set(machine, known.add(pairText(pair)));
  }
  return places.map(({ machine, pair }) => {
    const name = machine ?? 'any machine';
    return pair === null || (pairs.get(machine)?.size ?? 0) < 2 ? name : `${name} (${pairText(pair)})`;
  });
}
