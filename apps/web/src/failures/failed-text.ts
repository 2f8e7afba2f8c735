import type { RunFailure } from '@peerlab/contracts';

/** What failed in the same way: a test by its name, or attempts by their stage. */
export function failedText({ suite, test, failure }: Pick<RunFailure, 'suite' | 'test' | 'failure'>): string {
  if (suite !== null) return `${suite}/${test ?? ''}`;
  return failure?.stage == null ? 'the attempt' : `stage ${failure.stage}`;
}
