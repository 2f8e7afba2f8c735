import type { HistoryEntry, Proof } from '@peerlab/contracts';
import type { AttemptSearch } from '../search.js';
import { bytesText, countText } from '../ui/numbers.js';

/** Search part of the attempt's address that opens the lines of a result, or its evidence page when it has none. */
export function evidenceSearch(log: HistoryEntry['log']): AttemptSearch {
  if (log === null) return {};
  return { view: 'log', stream: log.stream, role: log.role, line: log.fromSeq + 1, to: log.toSeq + 1 };
}

/** The first ten digits of a build-id. */
export function shortBuildId(buildId: string): string {
  return buildId.slice(0, 10);
}

/** What a proof counted under a name, for people: names that begin with `bytes` are sizes. */
export function proofDetailText(name: string, value: Proof['detail'][string]): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return value;
  return name.startsWith('bytes ') ? bytesText(value) : countText(value);
}
