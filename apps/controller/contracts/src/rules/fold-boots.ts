import type { BootNumber } from '../schema/boot-number.js';
import { PENDING_LETTER, type Grid, type GridCell, type GridColumn } from '../schema/grid.js';
import { pairText } from '../schema/paths.js';
import type { JobState } from '../schema/states.js';
import { VERDICT_BY_LETTER, VERDICT_TABLE } from '../schema/verdict.js';
import { machinesOf } from './place.js';
import { judgeRepeats } from './repeats.js';
import { medianOf } from './significance/boots.js';
import { bySeverity, worstVerdict, type Judged } from './verdict.js';

const NEVER_RAN = '.';

/** A grid in which the boots of one kernel on one machine are one column. */
export interface FoldedGrid {
  grid: Grid;
  /** By its columns: those of the grid that was folded, one for each boot. One number where there was nothing to fold. */
  bootsOf: readonly (readonly number[])[];
}

/**
 * Folds the boots of a run with `repeat`: one column for each kernel and machine. A cell has the verdict of repeats.ts where
 * the boots contradict each other, else the worst one, and a reason that counts them; while a boot is still to come and none
 * has gone wrong it is pending. A column links to the boot with the worst verdict. Figures are medians of the boots, their
 * spread the lowest and the highest boot. Pure.
 */
export function foldBoots(source: Grid): FoldedGrid {
  const groups = groupBoots(source.columns);
  if (groups.length === source.columns.length) return { grid: source, bootsOf: groups };
  const noteOf = new Map(source.notes.map(({ row, column, reason }) => [`${row}:${column}`, reason]));
  const cellOf = new Map(source.cells.map((cell) => [`${cell.row}:${cell.column}`, cell]));
  const notes: Grid['notes'] = [];
  const cells: GridCell[] = [];
  const rows = source.rows.map((own, row) => {
    const letters = groups.map((group, column) => {
      const boots = group.map((at) => own.verdicts[at] ?? NEVER_RAN);
      const keys = group.map((at) => `${row}:${at}`);
      const judged = foldCell(
        boots.map((letter, boot) => {
          const key = keys[boot] ?? '';
          return { letter, reason: noteOf.get(key) ?? cellOf.get(key)?.reason ?? null };
        }),
      );
      if (judged === null) return boots.includes(PENDING_LETTER) ? PENDING_LETTER : NEVER_RAN;
      const { verdict, reason } = judged;
      if (reason !== null && keys.some((key) => noteOf.has(key))) notes.push({ row, column, reason });
      const evidence = cellOf.get(keys[judged.evidence] ?? '');
      if (evidence !== undefined) {
        const times = keys.flatMap((key) => cellOf.get(key)?.durationMs ?? []);
        cells.push({
          ...evidence,
          column,
          verdict,
          reason,
          durationMs: times.length === 0 ? null : Math.max(...times),
        });
      }
      return boots.includes(PENDING_LETTER) && !VERDICT_TABLE[verdict].wrong
        ? PENDING_LETTER
        : VERDICT_TABLE[verdict].letter;
    });
    return { ...own, verdicts: letters.join('') };
  });
  const metrics = source.metrics.map((metric) => ({
    ...metric,
    values: groups.map((group) => foldValues(group.flatMap((at) => metric.values[at] ?? []))),
  }));
  const known = foldKnown(source, groups);
  const columns = groups.flatMap((group) => foldColumns(group.flatMap((at) => source.columns[at] ?? [])));
  return { grid: { ...source, columns, rows, notes, known, cells, metrics }, bootsOf: groups };
}

/** A failure is known where all boots that failed are. */
function foldKnown({ rows, known }: Grid, groups: readonly (readonly number[])[]): Grid['known'] {
  const markOf = new Map(known.map(({ row, column, mark }) => [`${row}:${column}`, mark]));
  const concerned = [...new Set(known.map(({ row }) => row))];
  return concerned.flatMap((row) =>
    groups.flatMap((group, column) => {
      const wrong = group.filter((at) => {
        const verdict = VERDICT_BY_LETTER.get(rows[row]?.verdicts[at] ?? '');
        return verdict !== undefined && VERDICT_TABLE[verdict].wrong;
      });
      const [mark, ...others] = wrong.map((at) => markOf.get(`${row}:${at}`));
      return mark === undefined || others.includes(undefined) ? [] : [{ row, column, mark }];
    }),
  );
}

/** The columns of each kernel on each machine and pair of devices. */
function groupBoots(columns: readonly GridColumn[]): number[][] {
  const groups = new Map<string, number[]>();
  columns.forEach((column, index) => {
    const { boot, combination, build, pair, runId } = column;
    const devices = pair === null ? '' : pairText(pair);
    const key =
      boot === null ? String(index) : [runId, combination.hash, build.id, machinesOf(column), devices].join(' ');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [index]);
    else group.push(index);
  });
  return [...groups.values()];
}

/** What the boots of a kernel on a machine say of one test; null where none has a verdict. */
export function foldCell(
  boots: readonly { letter: string; reason: string | null }[],
): (Judged & { /** The boot that shows it. */ evidence: number }) | null {
  const results = boots.flatMap(({ letter, reason }, boot) => {
    const verdict = VERDICT_BY_LETTER.get(letter);
    return verdict === undefined ? [] : [{ verdict, reason, boot }];
  });
  const repeats = judgeRepeats(results);
  if (repeats !== null) return { ...repeats, evidence: results[repeats.evidence]?.boot ?? 0 };
  const worst = results.toSorted((a, b) => bySeverity(a.verdict, b.verdict))[0];
  if (worst === undefined) return null;
  const { verdict, boot } = worst;
  const alike = results.filter((each) => each.verdict === verdict);
  const reason = alike.find((each) => each.reason !== null)?.reason ?? null;
  if (results.length < 2 || !VERDICT_TABLE[verdict].wrong) return { verdict, reason, evidence: boot };
  const count = `${VERDICT_TABLE[verdict].label} in ${alike.length} of ${results.length} boots`;
  return { verdict, reason: reason === null ? count : `${count}: ${reason}`, evidence: boot };
}

/** A run with `repeat` is as far as the boot that is least far. */
const STATES: readonly JobState[] = ['running', 'queued', 'blocked', 'ended'];

function foldColumns(boots: readonly GridColumn[]): GridColumn[] {
  const [first] = boots;
  if (first === undefined || boots.length === 1) return [...boots];
  const ended = boots.filter(({ verdict }) => verdict !== null);
  const worst = ended.toSorted((a, b) => bySeverity(a.verdict ?? 'skip', b.verdict ?? 'skip'))[0];
  const state = STATES.find((each) => boots.some((boot) => boot.state === each)) ?? first.state;
  const times = boots.flatMap(({ at }) => at ?? []).toSorted();
  return [
    {
      ...(worst ?? boots.find(({ attemptId }) => attemptId !== null) ?? first),
      state,
      verdict: state === 'ended' ? worstVerdict(ended.flatMap(({ verdict }) => verdict ?? [])) : null,
      at: times.at(-1) ?? null,
      // Its own later boots are no other job.
      busy: boots.find(({ busy }) => busy !== null && busy.runId !== first.runId)?.busy ?? null,
    },
  ];
}

type Value = NonNullable<Grid['metrics'][number]['values'][number]>;

function foldValues(values: readonly Value[]): Value | null {
  const [only, ...more] = values;
  if (only === undefined || more.length === 0) return only ?? null;
  const medians = values.map(({ median }) => median);
  return {
    median: medianOf(medians),
    lowerQuartile: Math.min(...medians),
    upperQuartile: Math.max(...medians),
    n: values.reduce((sum, { n }) => sum + n, 0),
    boots: values.length,
  };
}

/** How the boots of a column stand: `5 boots`, `2 of 5 boots ended`, `5 boots, 3 went wrong`. */
export function bootsStanding(boots: readonly Pick<GridColumn, 'state' | 'verdict' | 'boot'>[]): string {
  const of = Math.max(boots.length, ...boots.map(({ boot }) => boot?.of ?? 0));
  const ended = boots.filter(({ state }) => state === 'ended').length;
  const wrong = boots.filter(({ verdict }) => verdict !== null && VERDICT_TABLE[verdict].wrong).length;
  const count = ended < of ? `${ended} of ${of} boots ended` : `${of} boots`;
  return wrong === 0 ? count : `${count}, ${wrong} went wrong`;
}

/** `boot 2 of 5` */
export const bootText = ({ number, of }: BootNumber): string => `boot ${number} of ${of}`;
