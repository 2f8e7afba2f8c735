import type { HistoryEntry } from '@peerlab/contracts';
import type { AttemptSearch } from '../search.js';

/** The search of an attempt's address that opens the lines of a result; its evidence page when there are none. */
export function evidenceSearch(log: HistoryEntry['log']): AttemptSearch {
  if (log === null) return {};
  return { view: 'log', stream: log.stream, line: log.fromSeq + 1, to: log.toSeq + 1 };
}

/** A build-id as short as people quote it. */
export function shortBuildId(buildId: string): string {
  return buildId.slice(0, 10);
}
