import { countText } from '../ui/numbers.js';

/** Lines that a search found, ascending. Pure functions. */
export type Hits = readonly number[];

/** Index of the first hit at or after a line; the number of hits when there is none. */
export function firstFrom(hits: Hits, line: number): number {
  let low = 0;
  let high = hits.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((hits[middle] ?? 0) < line) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The next hit after a line, or the one before it, going on at the other end. Null when there is none at all. */
export function nextHit(hits: Hits, line: number, direction: 1 | -1): { place: number; hasWrapped: boolean } | null {
  if (hits.length === 0) return null;
  const place = direction === 1 ? firstFrom(hits, line + 1) : firstFrom(hits, line) - 1;
  if (place >= 0 && place < hits.length) return { place, hasWrapped: false };
  return { place: direction === 1 ? 0 : hits.length - 1, hasWrapped: true };
}

/** The marks beside the scrollbar, as shares from 0 to 1 of the whole log: at most `buckets`, whatever the number of hits. */
export function hitMarks(hits: Hits, total: number, buckets: number): number[] {
  if (total <= 0) return [];
  const marks: number[] = [];
  let last = -1;
  for (const hit of hits) {
    const bucket = Math.min(buckets - 1, Math.floor((hit / total) * buckets));
    if (bucket !== last) marks.push(bucket / buckets);
    last = bucket;
  }
  return marks;
}

/** `812 hits`, `3 of 812 hits`, and how far the search is. */
export function hitsText(state: { count: number; place: number | null; share: number; hasWrapped: boolean }): string {
  const { count, place, share, hasWrapped } = state;
  const isDone = share >= 1;
  const noun = count === 1 ? 'hit' : 'hits';
  const found =
    count === 0 && isDone
      ? 'no hits'
      : place === null
        ? `${countText(count)} ${noun}`
        : `${countText(place + 1)} of ${countText(count)} ${noun}`;
  const parts = [found];
  if (!isDone) parts.push(`searched ${Math.floor(share * 100)} %`);
  if (hasWrapped && place !== null) parts.push('went on at the other end');
  return parts.join(', ');
}
