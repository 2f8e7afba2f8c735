const FIRST_MS = 500;
/** Far below a lease: a controller that was away for a moment costs no job. */
const LONGEST_MS = 5_000;

/**
 * Milliseconds to wait before connection try number `failures` (from 1): grows to 5 s, and is drawn
 * from the upper half so that many agents do not come back at the same moment.
 */
export function backOffMs(failures: number, random: () => number = Math.random): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, failures - 1));
  return Math.round(ceiling * (0.5 + 0.5 * random()));
}
