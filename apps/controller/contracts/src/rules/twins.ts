import type { GridColumn } from '../schema/grid.js';
import { VERDICT_BY_LETTER } from '../schema/verdict.js';
import { fewOf } from '../schema/problem.js';
import { machinesOf } from './place.js';
import { isConclusive, worstVerdict } from './verdict.js';

/** Machines with one combination of hardware that ran one test on one kernel, by whether it passed there. */
interface Split {
  passed: string[];
  failed: string[];
}

/**
 * Says which of the machines with the hardware and the kernel of a column contradict the others in one test, and null while
 * they agree or only one of them has a conclusive result: then the machine may be the reason, and not its kind of hardware.
 * @param verdicts the row's letters, one for each column
 */
export function twinsText(
  columns: readonly Pick<GridColumn, 'combination' | 'build' | 'machine'>[],
  verdicts: string,
  column: number,
): string | null {
  const { passed, failed } = splitOf(columns, verdicts, column);
  if (passed.length === 0 || failed.length === 0) return null;
  const [few, many] = failed.length <= passed.length ? [failed, passed] : [passed, failed];
  const [fewDid, manyDid] = few === failed ? ['fails', 'passes'] : ['passes', 'fails'];
  if (few.length === many.length) {
    return `Machines with this hardware disagree: it passes on ${fewOf(passed)} and fails on ${fewOf(failed)}.`;
  }
  return `It ${fewDid} on ${fewOf(few)} alone, and ${manyDid} on ${fewOf(many)} with the same hardware: look at ${few.length === 1 ? 'that machine' : 'those machines'} first.`;
}

/**
 * The columns whose figures a column is compared with, in their order: those of the same machine (of all roles), where it
 * has others with the same hardware beside it, and else of all machines with that hardware.
 */
export function columnsBeside(
  columns: readonly Pick<GridColumn, 'combination' | 'machine' | 'roles'>[],
  column: number,
): number[] {
  const own = columns[column];
  const alike = [...columns.keys()].filter((at) => columns[at]?.combination.hash === own?.combination.hash);
  const placeAt = (at: number): string => machinesOf(columns[at] ?? { machine: null });
  const ofMachine = alike.filter((at) => placeAt(at) === placeAt(column));
  return ofMachine.length > 1 ? ofMachine : alike;
}

function splitOf(columns: Parameters<typeof twinsText>[0], verdicts: string, column: number): Split {
  const split: Split = { passed: [], failed: [] };
  const own = columns[column];
  const byMachine = new Map<string, string[]>();
  for (const [at, { combination, build, machine }] of columns.entries()) {
    if (machine === null || combination.hash !== own?.combination.hash || build.id !== own.build.id) continue;
    byMachine.set(machine, [...(byMachine.get(machine) ?? []), verdicts[at] ?? '']);
  }
  for (const [machine, letters] of byMachine) {
    const found = letters.flatMap((letter) => VERDICT_BY_LETTER.get(letter) ?? []).filter(isConclusive);
    const worst = worstVerdict(found);
    if (worst !== null) split[worst === 'pass' ? 'passed' : 'failed'].push(machine);
  }
  return split;
}
