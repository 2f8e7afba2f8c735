import type { NotedFunction } from './gcov-notes.js';

/** Where a function begins: what goes in there comes from outside, and is no sum of arcs. The same of its end. */
const ENTRY = 0;
const EXIT = 1;

interface Side {
  /** Arcs on this side of a block whose count is not known yet, and the sum of the others. */
  unknown: number;
  sum: bigint;
  arcs: number[];
}

/**
 * How often each block of a function ran: what goes into a block comes out of it, so that the counters of some arcs
 * give all others. What does not follow from them counts as not run.
 * @param counts of the arcs that are not on the tree, in their order
 * @returns by block; null when there are not as many counters as such arcs
 */
export function blockCounts(noted: NotedFunction, counts: readonly bigint[]): bigint[] | null {
  const { arcs, blocks } = noted;
  if (arcs.filter(({ onTree }) => !onTree).length !== counts.length) return null;
  const known: (bigint | null)[] = Array.from({ length: arcs.length }, () => null);
  const blockOf: (bigint | null)[] = Array.from({ length: blocks }, () => null);
  const side = (): Side => ({ unknown: 0, sum: 0n, arcs: [] });
  const into = Array.from({ length: blocks }, side);
  const outOf = Array.from({ length: blocks }, side);
  const at = (sides: Side[], block: number): Side => sides[block] as Side;
  for (const [index, { from, to }] of arcs.entries()) {
    for (const each of [at(outOf, from), at(into, to)]) {
      each.unknown += 1;
      each.arcs.push(index);
    }
  }
  const changed: number[] = [];
  const settle = (index: number, count: bigint): void => {
    const { from, to } = arcs[index] as (typeof arcs)[number];
    known[index] = count;
    for (const each of [at(outOf, from), at(into, to)]) {
      each.unknown -= 1;
      each.sum += count;
    }
    changed.push(from, to);
  };
  let next = 0;
  for (const [index, { onTree }] of arcs.entries()) if (!onTree) settle(index, counts[next++] as bigint);
  // Blocks without a counted arc may be settled as well.
  for (let block = 0; block < blocks; block += 1) changed.push(block);
  for (let block = changed.pop(); block !== undefined; block = changed.pop()) {
    const [before, after] = [at(into, block), at(outOf, block)];
    if (blockOf[block] === null) {
      if (block !== ENTRY && before.unknown === 0 && before.arcs.length > 0) blockOf[block] = before.sum;
      else if (block !== EXIT && after.unknown === 0 && after.arcs.length > 0) blockOf[block] = after.sum;
    }
    const count = blockOf[block];
    if (count == null) continue;
    for (const [each, isOpen] of [
      [before, block !== ENTRY],
      [after, block !== EXIT],
    ] as const) {
      if (!isOpen || each.unknown !== 1) continue;
      const index = each.arcs.find((arc) => known[arc] === null);
      if (index !== undefined) settle(index, count - each.sum);
    }
  }
  return blockOf.map((count) => count ?? 0n);
}
