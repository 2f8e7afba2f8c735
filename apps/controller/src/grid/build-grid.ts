import { Injectable } from '@nestjs/common';
import {
  bySeverity,
  GRID_NOTES_MAX,
  VERDICT_TABLE,
  type BuildGrid,
  type Combination,
  type CombinationChoice,
  type KernelCursor,
  type KernelResult,
} from '@peerlab/contracts';
import { Sql } from '../platform/database/sql.js';
import { compare, placeRows } from './grid-rows.js';
import { SAYS_SOMETHING } from './grid.js';
import { newestCombination, readBeyond, readTestedKernels, type TestedKernelRow } from './tested-kernels.js';
import { NO_RANK, rankOf, RANKED_VERDICTS } from '../verdicts/verdict-letters.js';
import {
  linesByAttempt,
  PACKED_AT_ONCE,
  VerdictRows,
  type Unplanned,
  type VerdictLine,
} from '../verdicts/verdict-rows.js';

/** What combinations say of a suite on a kernel. */
export interface KernelLine extends Omit<VerdictLine, 'attemptId'> {
  /** Index of the kernel. */
  kernel: number;
  /** One letter for each test, of one combination after the other. */
  verdicts: string;
  /** Why, by the test's place; absent where all combinations are folded. */
  reasons?: Readonly<Record<string, string>>;
}

/** A line as Postgres puts it together, or attempts of a kernel that are not packed. */
type FoldedRow =
  | (Omit<KernelLine, 'tests' | 'positions'> & { plan: string; unpacked: null })
  | { suite: null; unpacked: string[] };

/** A suite of an attempt, or an attempt that is not packed. */
type LeftOutRow = Unplanned<VerdictLine> | { attemptId: string; suite: null };

/** Results by test and kernel. */
@Injectable()
export class BuildGridView {
  readonly #sql: Sql;
  readonly #verdicts: VerdictRows;

  constructor(sql: Sql, verdicts: VerdictRows) {
    this.#sql = sql;
    this.#verdicts = verdicts;
  }

  /** A page of kernels: the newest, or those before a cursor. */
  async read(choice: CombinationChoice | undefined, before: KernelCursor | null): Promise<BuildGrid> {
    const isAll = choice === 'all';
    const chosen = isAll ? null : (choice ?? (await newestCombination(this.#sql)));
    const [tested, combinations, clock] = await Promise.all([
      // A farm that has tested nothing has no combination to take.
      chosen === null && !isAll ? [] : readTestedKernels(this.#sql, chosen, before),
      this.#combinations(),
      this.#sql.one<{ now: Date }>('select clock_timestamp() as now'),
    ]);
    const kernels = arrangeKernels(tested);
    const [{ older, newer }, { lines, pending }] = await Promise.all([
      readBeyond(this.#sql, chosen, before, tested),
      isAll ? this.#readAll(kernels) : this.#readOne(kernels),
    ]);
    const newest = kernels.map(() => 0);
    for (const line of lines) newest[line.kernel] = Math.max(newest[line.kernel] ?? 0, line.newest.getTime());
    return {
      combination: combinations.find(({ hash }) => hash === chosen) ?? null,
      combinations,
      columns: kernels.map(({ column, attempts: own }, kernel) => ({
        ...column,
        testedAt: newest[kernel] === 0 ? null : new Date(newest[kernel] ?? 0).toISOString(),
        combinations: new Set(own.map(({ combination }) => combination)).size,
      })),
      older,
      newer,
      ...foldRows(kernels.length, lines),
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

  async #readOne(kernels: readonly TestedKernelRow[]): Promise<{ lines: KernelLine[]; pending: number }> {
    return { lines: newestLines(kernels, await this.#verdicts.read(attemptsOf(kernels))), pending: 0 };
  }

  async #readAll(kernels: readonly TestedKernelRow[]): Promise<{ lines: KernelLine[]; pending: number }> {
    const { lines, unpacked } = await this.#fold(kernels);
    const pending = await this.#verdicts.pack(unpacked, PACKED_AT_ONCE);
    // By this answer or by somebody else meanwhile: an attempt packs at its end, when pages are about to ask for it.
    const isPacked = unpacked.length > 0 && (await this.#verdicts.isAnyPacked(unpacked));
    return { lines: isPacked ? (await this.#fold(kernels)).lines : lines, pending };
  }

  /**
   * As newestLines, of thousands of attempts, and those that are not packed, which have none. Nearly all lines are of
   * the newest attempt of a kernel and a combination: Postgres puts these together, so that a few long texts are read;
   * of the older ones it tells what those left out.
   */
  async #fold(kernels: readonly TestedKernelRow[]): Promise<{ lines: KernelLine[]; unpacked: string[] }> {
    const { newest, older } = byAge(kernels);
    const [folded, leftOut] = await Promise.all([
      this.#sql.rows<FoldedRow>(FOLD_SQL, [newest.map(({ kernel }) => kernel), newest.map(({ attempt }) => attempt)]),
      this.#sql.rows<LeftOutRow>(LEFT_OUT_SQL, [older.map(({ attempt }) => attempt), older.map(({ newer }) => newer)]),
    ]);
    const missing = new Set([
      ...folded.flatMap(({ unpacked }) => unpacked ?? []),
      ...leftOut.flatMap(({ attemptId, suite }) => (suite === null ? [attemptId] : [])),
    ]);
    return {
      lines: await this.#verdicts.planned([
        ...folded.filter((row) => row.unpacked === null),
        ...newestLines(
          kernels,
          leftOut.filter((row) => row.suite !== null),
        ),
      ]),
      unpacked: attemptsOf(kernels).filter((attempt) => missing.has(attempt)),
    };
  }

  #combinations(): Promise<Combination[]> {
    return this.#sql.rows<Combination>(
      `select hash, label, identity from combination c
       where exists (select 1 from job where combination = c.hash and ${SAYS_SOMETHING}) order by label, hash`,
    );
  }
}

/**
 * Verdicts of attempts (arrays: kernel, attempt), those of one kernel, suite and list of tests together; and for each
 * kernel a row with its attempts that are not packed.
 */
const FOLD_SQL = `
  select p.kernel, v.suite, v.plan, string_agg(v.verdicts, '') as verdicts, max(v.newest) as newest,
    array_agg(p.attempt) filter (where v.suite is null) as unpacked
  from unnest($1::int[], $2::uuid[]) as p(kernel, attempt) left join attempt_verdicts v on v.attempt_id = p.attempt
  group by p.kernel, v.suite, v.plan`;

/**
 * Verdicts of attempts, of the suites that a newer attempt has none of (arrays: attempt, the newer one); and a row
 * without a suite for each attempt, older or newer, that is not packed. FOLD_SQL looks at another moment: whatever
 * one of the two missed is named by it.
 */
const LEFT_OUT_SQL = `
  with pair as materialized (select * from unnest($1::uuid[], $2::uuid[]) as p(attempt, newer)),
  left_out as materialized (
    select p.attempt as attempt_id, v.suite from pair p left join attempt_verdicts v on v.attempt_id = p.attempt
    where not exists (select 1 from attempt_verdicts n where n.attempt_id = p.newer and n.suite = v.suite)
    union
    select p.newer, null from pair p where not exists (select 1 from attempt_verdicts n where n.attempt_id = p.newer))
  select attempt_id as "attemptId", suite, v.plan, v.verdicts, v.newest
  from left_out left join attempt_verdicts v using (attempt_id, suite)`;

/** Of each kernel and combination the newest attempt, and the older ones with the newest. */
function byAge(kernels: readonly Pick<TestedKernelRow, 'attempts'>[]): {
  newest: { kernel: number; attempt: string }[];
  older: { attempt: string; newer: string }[];
} {
  const newest: { kernel: number; attempt: string }[] = [];
  const older: { attempt: string; newer: string }[] = [];
  for (const [kernel, { attempts }] of kernels.entries()) {
    const newestOf = new Map<string, string>();
    for (const { combination, attempt } of attempts) {
      const newer = newestOf.get(combination);
      if (newer === undefined) {
        newestOf.set(combination, attempt);
        newest.push({ kernel, attempt });
      } else older.push({ attempt, newer });
    }
  }
  return { newest, older };
}

/** All attempts of some kernels. */
export function attemptsOf(kernels: readonly Pick<TestedKernelRow, 'attempts'>[]): string[] {
  return kernels.flatMap(({ attempts }) => attempts.map(({ attempt }) => attempt));
}

/** Of every kernel, combination and suite the line of the newest attempt that has one. Pure. */
export function newestLines<T extends { attemptId: string; suite: string }>(
  kernels: readonly Pick<TestedKernelRow, 'attempts'>[],
  lines: readonly T[],
): (T & Pick<KernelLine, 'kernel'>)[] {
  const byAttempt = linesByAttempt(lines);
  return kernels.flatMap(({ attempts }, kernel) => {
    const seen = new Set<string>();
    return attempts.flatMap(({ combination, attempt }) =>
      (byAttempt.get(attempt) ?? []).flatMap((line) => {
        const key = `${combination} ${line.suite}`;
        if (seen.has(key)) return [];
        seen.add(key);
        return [{ ...line, kernel }];
      }),
    );
  });
}

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

/** Rows in the order of the suites: of every cell the worst verdict, and where combinations disagree. Pure. */
export function foldRows(columns: number, lines: readonly KernelLine[]): Pick<BuildGrid, 'rows' | 'differs' | 'notes'> {
  const { rows, rowsOf } = placeRows(lines);
  const ranks = NO_RANK + 1;
  /** How many combinations have each verdict: by row, then column, then rank. */
  const counts = new Uint32Array(rows.length * columns * ranks);
  const notes: BuildGrid['notes'] = [];
  for (const { kernel, suite, tests, verdicts, reasons = {} } of lines) {
    const places = rowsOf(suite, tests);
    const whole = places.length === 0 ? 0 : verdicts.length - (verdicts.length % places.length);
    // Millions of letters: all of a cell, one after the other, so that its counts stay where they are.
    for (let place = 0; place < places.length; place += 1) {
      const cell = ((places[place] ?? 0) * columns + kernel) * ranks;
      for (let at = place; at < whole; at += places.length) {
        const count = cell + rankOf(verdicts.charCodeAt(at));
        counts[count] = (counts[count] ?? 0) + 1;
      }
    }
    for (const place of Object.keys(reasons)) {
      notes.push({ row: places[Number(place)] ?? 0, column: kernel, reason: reasons[place] ?? '' });
    }
  }
  const differs: BuildGrid['differs'] = [];
  const letters = Array.from({ length: rows.length * columns }, (_, cell) => {
    const found = counts.subarray(cell * ranks, (cell + 1) * ranks);
    const worst = found.findIndex((count) => count > 0);
    const total = found.reduce((sum, count) => sum + count, 0);
    const worstCount = found[worst] ?? 0;
    if (worstCount < total) differs.push([Math.floor(cell / columns), cell % columns, worstCount, total]);
    const verdict = RANKED_VERDICTS[worst];
    return verdict === undefined ? NEVER_RAN : VERDICT_TABLE[verdict].letter;
  });
  return {
    rows: rows.map(({ suite, test, index }) => ({
      suite,
      test,
      verdicts: letters.slice(index * columns, (index + 1) * columns).join(''),
    })),
    differs,
    notes: notes.toSorted((a, b) => a.row - b.row || a.column - b.column).slice(0, GRID_NOTES_MAX),
  };
}
