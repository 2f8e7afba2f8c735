/** A letter on either side would make it part of another word, such as `status`. */
const isLetter = (char: string | undefined): boolean => char !== undefined && /\p{L}/u.test(char);

/**
 * A unit as people read it. Suites write ASCII, so microseconds arrive as `us`: `us/page` becomes `µs/page`. Only for
 * display: the stored unit is part of what identifies a metric. Pure; linear in the length of the unit.
 */
export function unitText(unit: string): string {
  return unit.replaceAll('us', (found, at: number) =>
    isLetter(unit[at - 1]) || isLetter(unit[at + 2]) ? found : 'µs',
  );
}
