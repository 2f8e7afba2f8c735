import { plainFinder, regexFinder } from './query.js';
import type { ScanAnswer, ScanRequest } from './scan-protocol.js';

/** The lines of a request that match. Pure; of a regular expression it may never return. */
export function scanLines({ id, query, lines, wantsRanges }: ScanRequest): ScanAnswer {
  const finder = query.isRegex ? regexFinder(query) : plainFinder(query);
  if (typeof finder !== 'function') return { id, ...finder };
  const hits: number[] = [];
  const ranges = [];
  for (const [index, line] of lines.entries()) {
    const found = finder(line);
    if (found.length === 0) continue;
    hits.push(index);
    if (wantsRanges) ranges.push(found);
  }
  return { id, problem: null, hits, ranges };
}
