/** A number from 0 (inclusive) to 1 (exclusive). */
export type Random = () => number;

/** The same numbers for the same seed, on every computer (mulberry32): a page that is opened twice says the same twice. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Moves `count` of the entries from `from` up to `to` (exclusive) to the front of that range, each choice as likely. */
export function drawToFront(entries: Uint32Array, from: number, to: number, count: number, random: Random): void {
  for (let place = from; place < from + count; place += 1) {
    const other = place + Math.floor(random() * (to - place));
    const entry = entries[place] ?? 0;
    entries[place] = entries[other] ?? 0;
    entries[other] = entry;
  }
}
