/** The text of a side in an address. */
export function runSideText(run: string, build: string | null): string {
  return build === null ? run : `${run}~${build}`;
}

/**
 * The builds that are compared, of the names that each run has in its order. What is named is taken.
 * Else, of one run, its first build with its last one; of two runs, the last build of `b` with the one
 * of the same name in `a`, or with the last of `a` when it has none of that name: like with like.
 */
export function chooseBuilds(
  a: { build: string | null; builds: readonly string[] },
  b: { build: string | null; builds: readonly string[] },
  isSameRun: boolean,
): { a: string | null; b: string | null } {
  const chosenB = b.build ?? b.builds.at(-1) ?? null;
  if (a.build !== null) return { a: a.build, b: chosenB };
  if (isSameRun) return { a: a.builds[0] ?? null, b: chosenB };
  return { a: a.builds.find((name) => name === chosenB) ?? a.builds.at(-1) ?? null, b: chosenB };
}
