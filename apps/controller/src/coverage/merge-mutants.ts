import {
  MUTANT_STATES,
  type BuildMutants,
  type MutantList,
  type MutantResults,
  type MutantState,
  type TriedMutant,
} from '@peerlab/contracts';

/** What one attempt found out. */
export interface MutantAttempt {
  machine: string | null;
  results: MutantResults['results'];
}

/** Those that are alive first: they are what is looked for. */
const ORDER: readonly MutantState[] = ['alive', 'not-reached', 'not-run', 'killed', 'refused', 'not-built'];

/**
 * Adds up what attempts found out about the mutants of a kernel: one that was killed once is killed; else one that lived
 * once is alive; else no test of any machine came to it. Pure.
 */
export function mergeMutants(
  { mutants }: MutantList,
  attempts: readonly MutantAttempt[],
): Pick<BuildMutants, 'score' | 'counts' | 'mutants'> {
  const byId = new Map<string, { machine: string | null; result: MutantResults['results'][number] }[]>();
  for (const { machine, results } of attempts) {
    for (const result of results) {
      const of = byId.get(result.id) ?? [];
      byId.set(result.id, of);
      of.push({ machine, result });
    }
  }
  const tried = mutants.map(({ state, ...mutant }): TriedMutant => {
    const seen = byId.get(mutant.id) ?? [];
    const killed = seen.find(({ result }) => result.verdict === 'killed');
    const tests = seen.reduce((sum, { result }) => sum + result.tests, 0);
    const nothing = { test: null, how: null, machine: null, tests };
    // A result of a mutant that is not in the kernel is no result.
    if (state !== 'built') return { ...mutant, ...nothing, tests: 0, state };
    if (killed !== undefined) {
      const { test, how } = killed.result;
      return { ...mutant, state: 'killed', test, how, machine: killed.machine, tests };
    }
    if (seen.some(({ result }) => result.verdict === 'alive')) return { ...mutant, ...nothing, state: 'alive' };
    return { ...mutant, ...nothing, state: seen.length > 0 ? 'not-reached' : 'not-run' };
  });
  const counts = Object.fromEntries(
    MUTANT_STATES.map((state) => [state, tried.filter((mutant) => mutant.state === state).length]),
  ) as BuildMutants['counts'];
  const all = counts.killed + counts.alive + counts['not-reached'];
  return {
    // Never rounded up to 100.
    score: all === 0 ? null : counts.killed === all ? 100 : Math.min(99, Math.round((100 * counts.killed) / all)),
    counts,
    mutants: tried.toSorted(
      (a, b) =>
        ORDER.indexOf(a.state) - ORDER.indexOf(b.state) ||
        (a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line),
    ),
  };
}
