import {
  COVERAGE_LINES_MAX,
  parsePatch,
  type CoverageFile,
  type CoverageTotals,
  type DiffFile,
  type LineCounts,
} from '@peerlab/contracts';

/** What the attempts of a kernel say of the files of its series. */
interface Seen {
  /** By line with code: how many attempts ran it. */
  lines: Map<number, number>;
}

const NOTHING: CoverageTotals = { added: 0, code: 0, ran: 0, notBuilt: 0 };

/**
 * Lays what attempts counted over the diff of their series. A line that ran in one of them has run. Pure.
 * @param counts of each attempt; at least one, or nothing is known of what is built
 */
export function mergeCoverage(
  diff: string,
  counts: readonly LineCounts[],
): { files: CoverageFile[]; totals: CoverageTotals; isDiffCut: boolean } {
  const seen = new Map<string, Seen>();
  for (const { files } of counts) {
    for (const { path, ran, missed } of files) {
      const of = seen.get(path) ?? { lines: new Map<number, number>() };
      seen.set(path, of);
      for (const line of missed) of.lines.set(line, of.lines.get(line) ?? 0);
      for (const line of ran) of.lines.set(line, (of.lines.get(line) ?? 0) + 1);
    }
  }
  let room = COVERAGE_LINES_MAX;
  let isDiffCut = false;
  const files = parsePatch(diff).files.map((file) => {
    const laid = layOver(file, seen.get(file.path) ?? null);
    const lines = laid.hunks.reduce((sum, hunk) => sum + hunk.lines.length, 0);
    room -= lines;
    if (room >= 0) return laid;
    isDiffCut = true;
    return { ...laid, hunks: [] };
  });
  return { files, totals: files.reduce(add, NOTHING), isDiffCut };
}

function layOver({ path, hunks, added }: DiffFile, seen: Seen | null): CoverageFile {
  let [code, ran] = [0, 0];
  const laid = hunks.map(({ oldStart, newStart, context, lines }) => {
    let number = newStart;
    return {
      oldStart,
      newStart,
      context,
      lines: lines.map((line) => {
        const count = line.kind === '+' ? seen?.lines.get(number) : undefined;
        if (line.kind === '+' || line.kind === ' ') number += 1;
        if (count === undefined) return line;
        code += 1;
        if (count > 0) ran += 1;
        return { ...line, ran: count };
      }),
    };
  });
  const isBuilt = seen !== null;
  return { path, isBuilt, added: isBuilt ? added : 0, code, ran, notBuilt: isBuilt ? 0 : added, hunks: laid };
}

const add = (sum: CoverageTotals, file: CoverageTotals): CoverageTotals => ({
  added: sum.added + file.added,
  code: sum.code + file.code,
  ran: sum.ran + file.ran,
  notBuilt: sum.notBuilt + file.notBuilt,
});
