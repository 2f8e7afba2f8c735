import type { RunFailure } from '@peerlab/contracts';

/** Equal failures of a test or a stage as one, with how many results or attempts have it, in the order of their first ones. */
export function foldFailures(failures: readonly RunFailure[]): (RunFailure & { count: number })[] {
  const folded = new Map<string, RunFailure & { count: number }>();
  for (const failure of failures) {
    const key = JSON.stringify([failure.key, failure.suite, failure.test, failure.failure]);
    const same = folded.get(key);
    if (same === undefined) folded.set(key, { ...failure, count: 1 });
    else same.count += 1;
  }
  return [...folded.values()];
}
