import {
  machinesOf,
  PENDING_LETTER,
  VERDICT_BY_LETTER,
  VERDICT_TABLE,
  VERDICTS,
  worstVerdict,
  type Flips,
  type Grid,
  type GridColumn,
  type GridRow,
  type Verdict,
} from '@peerlab/contracts';

/** Any grid: by combination or by kernel. */
export interface GridRows {
  rows: readonly GridRow[];
}

export type GridMetricRow = Grid['metrics'][number];

/** Neighbouring columns of one hardware combination (or of one machine), under one merged header. */
export interface ColumnGroup {
  combination: GridColumn['combination'];
  /** Column indices, first to last. */
  columns: number[];
  /** Names of the machines with this combination, each once; those of the first role stand before the others of their column. */
  machines: string[];
}

export function groupColumns(columns: readonly GridColumn[], isByMachine = false): ColumnGroup[] {
  const groups: ColumnGroup[] = [];
  columns.forEach((column, index) => {
    let group = groups.at(-1);
    const before = columns[index - 1];
    const isOther =
      isByMachine && before !== undefined && column.machine !== null && machinesOf(before) !== machinesOf(column);
    if (group?.combination.hash !== column.combination.hash || isOther) {
      group = { combination: column.combination, columns: [], machines: [] };
      groups.push(group);
    }
    group.columns.push(index);
    for (const machine of [column.machine, ...(column.roles ?? []).map((role) => role.machine)]) {
      if (machine !== null && !group.machines.includes(machine)) group.machines.push(machine);
    }
  });
  return groups;
}

/** First columns of groups: they have a strong line on their left. */
export function groupStarts(groups: readonly Pick<ColumnGroup, 'columns'>[]): Set<number> {
  return new Set(groups.flatMap((group) => group.columns.slice(0, 1)));
}

export interface SuiteRows {
  suite: string;
  /** Row indices of the grid, in its order. */
  rows: number[];
}

/** Rows by suite in the grid's order; only rows for which `matches` is true, of `suite/test` and the row's index. */
export function groupRows(grid: GridRows, matches: (text: string, row: number) => boolean): SuiteRows[] {
  const suites = new Map<string, number[]>();
  grid.rows.forEach(({ suite, test }, index) => {
    if (!matches(`${suite}/${test}`, index)) return;
    const rows = suites.get(suite) ?? [];
    rows.push(index);
    suites.set(suite, rows);
  });
  return [...suites].map(([suite, rows]) => ({ suite, rows }));
}

/** The verdict of a test in a column; null where it never ran. */
export function verdictAt(grid: GridRows, row: number, column: number): Verdict | null {
  return VERDICT_BY_LETTER.get(grid.rows[row]?.verdicts[column] ?? '') ?? null;
}

/** Whether a test is planned in a column and has no result yet. */
export function isPending(grid: GridRows, row: number, column: number): boolean {
  return grid.rows[row]?.verdicts[column] === PENDING_LETTER;
}

type VerdictCount = Partial<Record<Verdict, number>>;

/** Counts of the verdicts of some rows in one column. */
export function countVerdicts(grid: GridRows, rows: readonly number[], column: number): VerdictCount {
  const counts: VerdictCount = {};
  for (const row of rows) {
    const verdict = verdictAt(grid, row, column);
    if (verdict !== null) counts[verdict] = (counts[verdict] ?? 0) + 1;
  }
  return counts;
}

/** Reasons of wrong verdicts, by `row:column`. */
export function reasonLookup(grid: Pick<Grid, 'notes'>): ReadonlyMap<string, string> {
  return new Map(grid.notes.map(({ row, column, reason }) => [`${row}:${column}`, reason]));
}

/** A reason without numbers and addresses, which differ between two cases of the same failure. */
export function reasonKind(reason: string): string {
  return reason.replace(/0x[0-9a-f]+|\d+/gi, '#');
}

/** The worst verdict with a count above zero; null when there is none. */
export function worstCounted(counts: VerdictCount): Verdict | null {
  return worstVerdict(VERDICTS.filter((verdict) => (counts[verdict] ?? 0) > 0));
}

/** Other cells that failed for the same reason as the open one, by `row:column`. */
export function alikeCells(
  { notes }: Pick<Grid, 'notes'>,
  open: { row: number; column: number } | null,
): ReadonlySet<string> {
  const own = notes.find(({ row, column }) => row === open?.row && column === open.column);
  if (own === undefined) return new Set();
  const kind = reasonKind(own.reason);
  const alike = notes.filter((note) => note !== own && reasonKind(note.reason) === kind);
  return new Set(alike.map(({ row, column }) => `${row}:${column}`));
}

export const ROW_ORDERS = ['suite', 'failures', 'flakiness', 'name'] as const;
export type RowOrder = (typeof ROW_ORDERS)[number];

/** How often tests flipped, by `suite/test`. */
export type FlipsByTest = ReadonlyMap<string, Flips>;

/** Flips of a row of the grid; undefined for a test with fewer than two comparable results. */
export function flipsOf(grid: GridRows, row: number, flips: FlipsByTest): Flips | undefined {
  const { suite, test } = grid.rows[row] ?? { suite: '', test: '' };
  return flips.get(`${suite}/${test}`);
}

/**
 * Rows of a suite in its own order, by the number of columns with a wrong verdict, by how often they flipped (of equals,
 * the one with the fewest chances first), or by name. Pure.
 */
export function sortRows(
  grid: GridRows,
  rows: readonly number[],
  order: RowOrder,
  flips: FlipsByTest = new Map(),
): number[] {
  switch (order) {
    case 'suite':
      return [...rows];
    case 'name': {
      const name = (row: number): string => grid.rows[row]?.test ?? '';
      return rows.toSorted((a, b) => (name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : 0));
    }
    case 'flakiness': {
      const of = (row: number): Flips => flipsOf(grid, row, flips) ?? { flips: 0, chances: Number.MAX_SAFE_INTEGER };
      return rows.toSorted((a, b) => of(b).flips - of(a).flips || of(a).chances - of(b).chances);
    }
    case 'failures': {
      const wrong = new Map(rows.map((row) => [row, wrongColumns(grid, row)]));
      return rows.toSorted((a, b) => (wrong.get(b) ?? 0) - (wrong.get(a) ?? 0));
    }
  }
}

/** Number of columns in which a test has a wrong verdict. */
function wrongColumns(grid: GridRows, row: number): number {
  return Array.from(grid.rows[row]?.verdicts ?? '').filter((letter) => {
    const verdict = VERDICT_BY_LETTER.get(letter);
    return verdict !== undefined && VERDICT_TABLE[verdict].wrong;
  }).length;
}

/** Whether the columns that ran a test say different things of it. */
export function isDiffering(grid: GridRows, row: number): boolean {
  const letters = Array.from(grid.rows[row]?.verdicts ?? '').filter((letter) => VERDICT_BY_LETTER.has(letter));
  return new Set(letters).size > 1;
}

/** Whether a column is one of several boots, each of which has a column of its own. */
function isOneBoot({ columns }: Pick<Grid, 'columns'>, column: number): boolean {
  const at = columns[column];
  return (
    at?.boot != null &&
    columns.some(
      (other, index) =>
        index !== column &&
        other.boot !== null &&
        other.build.id === at.build.id &&
        other.machine === at.machine &&
        other.combination.hash === at.combination.hash,
    )
  );
}

/** Whether other machines have a column of the same build and combination. */
function isOneMachine({ columns }: Pick<Grid, 'columns'>, column: number): boolean {
  const at = columns[column];
  return columns.some(
    ({ build, machine, combination }) =>
      build.id === at?.build.id && combination.hash === at.combination.hash && machine !== at.machine,
  );
}

/** The stable name of a cell in the address. */
export function cellName(grid: Grid, row: number, column: number): string {
  const { suite, test } = grid.rows[row] ?? { suite: '', test: '' };
  const at = grid.columns[column];
  const boot = isOneBoot(grid, column) ? `.${at?.boot?.number ?? ''}` : '';
  const machine = isOneMachine(grid, column) ? `~${at?.machine ?? ''}` : '';
  return `${suite}/${test}@${at?.build.name ?? ''}@${at?.combination.hash.slice(0, 8) ?? ''}${boot}${machine}`;
}

/** The cell that a name in the address stands for; null when this grid has no such cell. */
export function findCell(grid: Grid, name: string | undefined): { row: number; column: number } | null {
  if (name === undefined) return null;
  const parts = /^([^/]*)\/(.*)@([^@]*)@([^@]*)$/.exec(name);
  if (parts === null) return null;
  const [, suite, test, build, place = ''] = parts;
  const [, hash = '', boot, machine] = /^([^.~]*)(?:\.([^~]*))?(?:~(.*))?$/.exec(place) ?? [];
  const row = grid.rows.findIndex((each) => each.suite === suite && each.test === test);
  const column = grid.columns.findIndex(
    ({ build: { name, aliases }, combination, machine: ran, boot: own }, index) =>
      (name === build || aliases.includes(build ?? '')) &&
      hash !== '' &&
      combination.hash.startsWith(hash) &&
      (boot === undefined || !isOneBoot(grid, index) || String(own?.number) === boot) &&
      (machine === undefined || !isOneMachine(grid, index) || ran === machine),
  );
  return row < 0 || column < 0 ? null : { row, column };
}

/** Metrics of the test in a row, in the order of the answer. */
export function metricsOf(grid: GridRows, metrics: readonly GridMetricRow[], row: number): GridMetricRow[] {
  const { suite, test } = grid.rows[row] ?? { suite: '', test: '' };
  return metrics.filter((metric) => metric.suite === suite && metric.test === test);
}

/** A metric of one column compared with that of another. */
export interface MetricChange {
  /** Index of the column compared with. */
  against: number;
  /** Above 1 = better by that factor, below 1 = worse, whichever direction the metric has. */
  factor: number;
  /** Which way the number went. */
  direction: 'lower' | 'higher';
  /** The boots say so (rules/change.ts). False for one boot a side, as in most grids: the numbers stand without a verdict. */
  clear: boolean;
}

/**
 * Compares a metric of a column with the first of the `candidates` that has a value. Null when the column has no value,
 * no candidate has one, or the candidate is the column itself.
 */
export function compareMetric(
  row: GridMetricRow,
  column: number,
  candidates: readonly number[],
  isClear: (row: GridMetricRow, column: number) => boolean = () => false,
): MetricChange | null {
  const value = row.values[column];
  const against = candidates.find((each) => row.values[each] != null);
  if (value == null || against === undefined || against === column) return null;
  const base = row.values[against];
  if (base == null || base.median <= 0 || value.median <= 0) return null;
  const factor = row.better === 'lower' ? base.median / value.median : value.median / base.median;
  const direction = value.median < base.median ? 'lower' : 'higher';
  return { against, factor, direction, clear: isClear(row, column) };
}

/** With a verdict `51× better`, `1.3× worse`; without one `51× lower, no verdict`. */
export function changeText(change: MetricChange): string {
  const { factor, direction, clear } = change;
  if (isAsMuch(change)) return 'as much, no verdict';
  if (!clear) return `${timesText(change)} ${direction}, no verdict`;
  return `${timesText(change)} ${factor >= 1 ? 'better' : 'worse'}`;
}

/** The same in a sentence: `51× better than build base`, `51× lower than build base, no verdict`. */
export function changeThanText(change: MetricChange, name: string): string {
  const { factor, direction, clear } = change;
  if (isAsMuch(change)) return `as much as ${name}, no verdict`;
  if (!clear) return `${timesText(change)} ${direction} than ${name}, no verdict`;
  return `${timesText(change)} ${factor >= 1 ? 'better' : 'worse'} than ${name}`;
}

/** `1.00× higher` would contradict itself. */
const isAsMuch = (change: MetricChange): boolean => !change.clear && timesText(change) === '1.00×';

/** By how much, in either direction: `51×`. */
export function timesText({ factor }: Pick<MetricChange, 'factor'>): string {
  const times = factor >= 1 ? factor : 1 / factor;
  return `${times >= 10 ? Math.round(times).toString() : times.toFixed(times >= 3 ? 1 : 2)}×`;
}
