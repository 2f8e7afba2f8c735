import { bySeverity, type ResultView, type Verdict } from '@peerlab/contracts';
import type { AttemptSearch } from '../search.js';

/** Skipped tests of one reason. */
export interface SkippedGroup {
  reason: string;
  results: ResultView[];
}

/**
 * Results as a page shows them. Without an order of one's own what needs a look comes first, and skipped tests are
 * grouped by their reason; in any other order each is a row.
 */
export function arrangeResults(
  results: readonly ResultView[],
  { sort, verdict }: Pick<AttemptSearch, 'sort' | 'verdict'>,
): { rows: ResultView[]; skipped: SkippedGroup[] } {
  const asRun = results.toSorted((a, b) => a.position - b.position);
  const wanted = asRun.filter((result) => verdict === undefined || result.verdict === verdict);
  if (sort !== undefined) return { rows: wanted.toSorted(ORDERS[sort]), skipped: [] };
  return {
    rows: wanted.filter(isRow).toSorted((a, b) => bySeverity(a.verdict, b.verdict)),
    skipped: groupByReason(wanted.filter((result) => !isRow(result))),
  };
}

const isRow = ({ verdict }: { verdict: Verdict }): boolean => verdict !== 'skip';

const ORDERS: Record<NonNullable<AttemptSearch['sort']>, (a: ResultView, b: ResultView) => number> = {
  run: (a, b) => a.position - b.position,
  time: (a, b) => (b.durationMs ?? -1) - (a.durationMs ?? -1),
  name: (a, b) => `${a.suite}/${a.test}`.localeCompare(`${b.suite}/${b.test}`, 'en', { numeric: true }),
};

function groupByReason(skipped: readonly ResultView[]): SkippedGroup[] {
  const groups = new Map<string, ResultView[]>();
  for (const result of skipped) {
    const reason = result.reason ?? 'no reason was given';
    groups.set(reason, [...(groups.get(reason) ?? []), result]);
  }
  return [...groups]
    .map(([reason, of]) => ({ reason, results: of }))
    .toSorted((a, b) => b.results.length - a.results.length);
}
