import { Injectable } from '@nestjs/common';
import {
  bySeverity,
  GRID_NOTES_MAX,
  VERDICT_BY_LETTER,
  VERDICT_TABLE,
  worstVerdict,
  type BuildGrid,
  type Combination,
  type CombinationChoice,
  type KernelResult,
} from '@peerlab/contracts';
import { Sql } from '../platform/database/sql.js';
import { compare } from './grid-rows.js';
import { SAYS_SOMETHING } from './grid.js';
import { newestCombination, readTestedKernels, type TestedKernelRow } from './tested-kernels.js';
import { PACKED_AT_ONCE, VerdictRows } from './verdict-rows.js';

/** Verdicts of one suite on one kernel that several combinations share. */
export interface FoldGroup {
  /** Index of the kernel. */
  kernel: number;
  suite: string;
  tests: readonly string[];
  positions: readonly number[];
  /** One letter of VERDICT_TABLE for each test. */
  verdicts: string;
  /** How many combinations have exactly these. */
  combinations: number;
  /** Why, by the test's place; empty where several combinations are folded. */
  reasons: Readonly<Record<string, string>>;
  newest: Date;
}

/** Results by test and kernel. */
@Injectable()
export class BuildGridView {
  readonly #sql: Sql;
  readonly #verdicts: VerdictRows;

  constructor(sql: Sql, verdicts: VerdictRows) {
    this.#sql = sql;
    this.#verdicts = verdicts;
  }

  async read(choice: CombinationChoice | undefined): Promise<BuildGrid> {
    const isAll = choice === 'all';
    const chosen = isAll ? null : (choice ?? (await newestCombination(this.#sql)));
    const [tested, combinations, clock] = await Promise.all([
      chosen === null && !isAll ? { kernels: [], older: 0 } : readTestedKernels(this.#sql, chosen),
      this.#combinations(),
      this.#sql.one<{ now: Date }>('select clock_timestamp() as now'),
    ]);
    const kernels = arrangeKernels(tested.kernels);
    const attempts = kernels.flatMap((kernel) => kernel.attempts.map(({ attempt }) => attempt));
    const pending = await this.#verdicts.pack(attempts, PACKED_AT_ONCE);
    const groups = await this.#fold(kernels, isAll);
    const newest = kernels.map((_, kernel) =>
      groups.reduce((at, group) => (group.kernel === kernel ? Math.max(at, group.newest.getTime()) : at), 0),
    );
    return {
      combination: combinations.find(({ hash }) => hash === chosen) ?? null,
      combinations,
      columns: kernels.map(({ column, attempts: own }, kernel) => ({
        ...column,
        testedAt: newest[kernel] === 0 ? null : new Date(newest[kernel] ?? 0).toISOString(),
        combinations: new Set(own.map(({ combination }) => combination)).size,
      })),
      older: tested.older,
      ...foldRows(kernels.length, groups),
      pending,
      generatedAt: (clock?.now ?? new Date(0)).toISOString(),
    };
  }

  /** The newest result of the test on the kernel for each combination, the worst first. */
  async results(key: string, suite: string, test: string): Promise<KernelResult[]> {
    const rows = await this.#sql.rows<Omit<KernelResult, 'at'> & { at: Date }>(
      `select distinct on (j.combination) x.verdict, x.reason, x.log, x.attempt_id as "attemptId", j.machine,
         x.stored_at as at, jsonb_build_object('id', r.id, 'name', r.name) as run,
         jsonb_build_object('hash', c.hash, 'label', c.label, 'identity', c.identity) as combination
       from build b
         join lateral (select * from job where build_id = b.id and ${SAYS_SOMETHING}) j on true
         join lateral (select id from attempt where job_id = j.id order by number desc limit 1) t on true
         join result x on x.attempt_id = t.id and x.suite = $2 and x.test = $3
         join combination c on c.hash = j.combination join run r on r.id = j.run_id
       where b.bundle_key = $1 order by j.combination, j.ended_at desc`,
      [key, suite, test],
    );
    return rows
      .toSorted((a, b) => bySeverity(a.verdict, b.verdict) || compare(a.combination.label, b.combination.label))
      .map((row) => ({ ...row, at: row.at.toISOString() }));
  }

  #combinations(): Promise<Combination[]> {
    return this.#sql.rows<Combination>(
      `select hash, label, identity from combination c
       where exists (select 1 from job where combination = c.hash and ${SAYS_SOMETHING}) order by label, hash`,
    );
  }

  /** Of every kernel, combination and suite the newest attempt that has it; equal ones together. */
  async #fold(kernels: readonly TestedKernelRow[], isAll: boolean): Promise<FoldGroup[]> {
    const picked = kernels.flatMap(({ attempts }, kernel) => attempts.map((each) => ({ ...each, kernel })));
    const rows = await this.#sql.rows<Omit<FoldGroup, 'tests' | 'positions'> & { plan: string }>(
      foldSql(isAll ? `'{}'::jsonb` : '(array_agg(v.reasons))[1]'),
      [picked.map(({ kernel }) => kernel), picked.map((each) => each.combination), picked.map((each) => each.attempt)],
    );
    const plans = await this.#verdicts.plans(rows.map(({ plan }) => plan));
    return rows.flatMap(({ plan, ...row }) => {
      const { tests, positions } = plans.get(plan) ?? {};
      return tests === undefined || positions === undefined ? [] : [{ ...row, tests, positions }];
    });
  }
}

/** Takes attempts as three arrays: kernel, combination, id; newest first. */
export const foldSql = (reasons: string): string => `
  with picked as materialized (
    select * from unnest($1::int[], $2::text[], $3::uuid[]) with ordinality as p(kernel, combination, attempt, place)
  ), newest as materialized (
    select p.kernel, v.suite, (array_agg(p.attempt order by p.place))[1] as attempt
    from picked p join attempt_verdicts v on v.attempt_id = p.attempt group by p.kernel, p.combination, v.suite
  )
  select n.kernel, n.suite, v.plan, v.verdicts, count(*)::int as combinations, max(v.newest) as newest,
    ${reasons} as reasons
  from newest n join attempt_verdicts v on v.attempt_id = n.attempt and v.suite = n.suite
  group by n.kernel, n.suite, v.plan, v.verdicts`;

/**
 * Kernels (newest first) so that those of one build name are neighbours: the group with the newest kernel
 * first, in a group the newest first. Pure.
 */
export function arrangeKernels(kernels: readonly TestedKernelRow[]): TestedKernelRow[] {
  const groups = new Map<string, TestedKernelRow[]>();
  for (const kernel of kernels) {
    const group = groups.get(kernel.column.build.name) ?? [];
    groups.set(kernel.column.build.name, group);
    group.push(kernel);
  }
  return [...groups.values()].flat();
}

const NEVER_RAN = '.';

interface FoldedRow {
  suite: string;
  test: string;
  position: number;
  /** By column: the letter that was seen first, and how many combinations have any. */
  letters: string[];
  totals: number[];
  /** By column, only where combinations disagree: how many have each letter. */
  mixed: Map<number, Map<string, number>>;
  reasons: Map<number, string>;
}

/** Rows in the order of the suites: of every cell the worst verdict, and where combinations disagree. Pure. */
export function foldRows(columns: number, groups: readonly FoldGroup[]): Pick<BuildGrid, 'rows' | 'differs' | 'notes'> {
  const found = new Map<string, FoldedRow>();
  for (const { kernel, suite, tests, positions, verdicts, combinations, reasons } of groups) {
    for (const [place, test] of tests.entries()) {
      const key = `${suite}\n${test}`;
      let row = found.get(key);
      if (row === undefined) {
        row = emptyRow(suite, test, columns);
        found.set(key, row);
      }
      row.position = Math.min(row.position, positions[place] ?? 0);
      addVerdict(row, kernel, verdicts[place] ?? NEVER_RAN, combinations);
      const reason = reasons[place];
      if (reason !== undefined) row.reasons.set(kernel, reason);
    }
  }
  const rows = [...found.values()].toSorted(
    (a, b) => a.position - b.position || compare(a.suite, b.suite) || compare(a.test, b.test),
  );
  return {
    rows: rows.map(({ suite, test, letters, mixed }) => {
      for (const [column, counts] of mixed) letters[column] = worstLetter(counts);
      return { suite, test, verdicts: letters.join('') };
    }),
    differs: rows.flatMap(({ mixed, totals }, row) =>
      byColumn(mixed).map(([column, counts]): [number, number, number, number] => [
        row,
        column,
        counts.get(worstLetter(counts)) ?? 0,
        totals[column] ?? 0,
      ]),
    ),
    notes: rows
      .flatMap(({ reasons }, row) => byColumn(reasons).map(([column, reason]) => ({ row, column, reason })))
      .slice(0, GRID_NOTES_MAX),
  };
}

function emptyRow(suite: string, test: string, columns: number): FoldedRow {
  const letters = Array.from({ length: columns }, () => NEVER_RAN);
  const totals = letters.map(() => 0);
  return { suite, test, position: Number.POSITIVE_INFINITY, letters, totals, mixed: new Map(), reasons: new Map() };
}

function addVerdict({ letters, totals, mixed }: FoldedRow, column: number, letter: string, combinations: number): void {
  const before = letters[column] ?? NEVER_RAN;
  const total = totals[column] ?? 0;
  totals[column] = total + combinations;
  if (total === 0) {
    letters[column] = letter;
    return;
  }
  let counts = mixed.get(column);
  if (counts === undefined) {
    if (before === letter) return;
    counts = new Map([[before, total]]);
    mixed.set(column, counts);
  }
  counts.set(letter, (counts.get(letter) ?? 0) + combinations);
}

function worstLetter(counts: ReadonlyMap<string, number>): string {
  const worst = worstVerdict([...counts.keys()].flatMap((letter) => VERDICT_BY_LETTER.get(letter) ?? []));
  return worst === null ? NEVER_RAN : VERDICT_TABLE[worst].letter;
}

function byColumn<T>(cells: ReadonlyMap<number, T>): [number, T][] {
  return [...cells].toSorted(([a], [b]) => a - b);
}
