import { Injectable } from '@nestjs/common';
import {
  bySeverity,
  judgeRepeats,
  KERNEL_ATTEMPTS,
  type BuildGrid,
  type Combination,
  type CombinationChoice,
  type KernelCursor,
  type KernelResult,
} from '@peerlab/contracts';
import {
  columnsOf,
  integer,
  json,
  nullable,
  pick,
  text,
  time,
  uuid,
  uuids,
  type RowOf,
} from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { Result } from '../schema/results.js';
import { Job } from '../schema/runs.js';
import { withRole, worstOfRoles } from '../verdicts/packed-verdicts.js';
import { VerdictRows } from '../verdicts/verdict-rows.js';
import { readTestedCombinations } from './combinations.js';
import { foldRows } from './fold-rows.js';
import { compare } from './grid-rows.js';
import { arrangeKernels, attemptsOf, repeatsOf, summedLines, type KernelLine, type Repeats } from './kernel-lines.js';
import { IS_TESTED } from './tested-jobs.js';
import { newestCombination, readBeyond, readTestedKernels, type TestedKernelRow } from './tested-kernels.js';

const KERNEL_RESULT = {
  ...pick(columnsOf(Result), 'role', 'verdict', 'reason', 'log', 'attempt_id', 'stored_at'),
  ...pick(columnsOf(Job), 'machine'),
  run: json<KernelResult['run']>(),
  combination: json<Combination>(),
};

/** A line as Postgres puts it together, or attempts of a kernel that are not packed. */
const FOLDED = {
  kernel: integer,
  suite: nullable(text),
  plan: nullable(text),
  verdicts: nullable(text),
  newest: nullable(time),
  unpacked: nullable(uuids),
};

/** The lines of some kernels; `pending`: how many attempts are left out because they are not packed. */
interface FoundLines {
  lines: KernelLine[];
  pending: number;
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

  /** A page of kernels: the newest, or those before a cursor. */
  async read(choice: CombinationChoice | undefined, before: KernelCursor | null): Promise<BuildGrid> {
    const isAll = choice === 'all';
    const chosen = isAll ? null : (choice ?? (await newestCombination(this.#sql)));
    const [tested, combinations, clock] = await Promise.all([
      // A farm that has tested nothing has no combination to take.
      chosen === null && !isAll ? [] : readTestedKernels(this.#sql, chosen, before),
      readTestedCombinations(this.#sql),
      this.#sql.one({ now: time }, 'select clock_timestamp() as now'),
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

  /**
   * What the test says on the kernel for each combination, the worst first: as its cell shows it, with the evidence
   * of the newest attempt, or of the one that is wrong where attempts contradict each other.
   */
  async results(key: string, suite: string, test: string): Promise<KernelResult[]> {
    const rows = await this.#sql.rows(
      KERNEL_RESULT,
      `select x.role, x.verdict, x.reason, x.log, x.attempt_id, j.machine, x.stored_at,
         jsonb_build_object('id', r.id, 'name', r.name) as run,
         jsonb_build_object('hash', c.hash, 'label', c.label, 'identity', c.identity) as combination
       from (
         select j.combination, j.machine, j.ended_at, j.run_id, t.id as attempt_id,
           row_number() over (partition by j.combination order by b.created_at desc, j.ended_at desc) as place
         from build b
           join lateral (select * from job where build_id = b.id and ${IS_TESTED}) j on true
           join lateral (select id from attempt where job_id = j.id order by number desc limit 1) t on true
         where b.bundle_key = $1) j
         join result x on x.attempt_id = j.attempt_id and x.suite = $2 and x.test = $3
         join combination c on c.hash = j.combination join run r on r.id = j.run_id
       where j.place <= ${KERNEL_ATTEMPTS} order by j.combination, j.ended_at desc, x.role`,
      [key, suite, test],
    );
    const repeats = new Map<string, (typeof rows)[number][]>();
    for (const { reason, ...found } of worstOfRoles(rows, ({ attempt_id: id }) => id)) {
      const row = { ...found, reason: reason === null ? null : withRole(found.role, reason) };
      const own = repeats.get(row.combination.hash);
      if (own === undefined) repeats.set(row.combination.hash, [row]);
      else own.push(row);
    }
    return [...repeats.values()]
      .flatMap((own) => kernelResult(own))
      .toSorted((a, b) => bySeverity(a.verdict, b.verdict) || compare(a.combination.label, b.combination.label));
  }

  async #readOne(kernels: readonly TestedKernelRow[]): Promise<FoundLines> {
    const rows = await this.#verdicts.read(attemptsOf(kernels));
    return { lines: summedLines(repeatsOf(kernels), rows), pending: 0 };
  }

  /**
   * As readOne, of thousands of attempts. Nearly all repeats say the same: of these Postgres puts the newest of all
   * combinations together, so that a few long texts are read. Those that differ are summed up one by one.
   */
  async #readAll(kernels: readonly TestedKernelRow[]): Promise<FoundLines> {
    const repeats = repeatsOf(kernels);
    const differing = await this.#differing(repeats);
    const alike = repeats.filter(({ attempts: [newest] }) => !differing.has(newest));
    const [folded, differ] = await Promise.all([
      this.#sql.rows(FOLDED, FOLD_SQL, [
        alike.map(({ kernel }) => kernel),
        alike.map(({ attempts: [newest] }) => newest),
      ]),
      this.#sumUp(repeats.filter(({ attempts: [newest] }) => differing.has(newest))),
    ]);
    const unpacked = new Set(folded.flatMap((row) => row.unpacked ?? []));
    const rest = await this.#sumUp(alike.filter(({ attempts: [newest] }) => unpacked.has(newest)));
    const lines = await this.#verdicts.withTests(folded.flatMap(foldedLine));
    return { lines: [...lines, ...differ.lines, ...rest.lines], pending: differ.pending + rest.pending };
  }

  /** The newest attempts of those repeats that do not all have the same packed verdicts. */
  async #differing(repeats: readonly Repeats[]): Promise<Set<string>> {
    const pairs = repeats.flatMap(({ attempts: [newest, ...older] }) => older.map((attempt) => ({ newest, attempt })));
    if (pairs.length === 0) return new Set();
    const found = await this.#sql.rows({ newest: uuid }, DIFFERING_SQL, [
      pairs.map(({ attempt }) => attempt),
      pairs.map(({ newest }) => newest),
    ]);
    return new Set(found.map(({ newest }) => newest));
  }

  async #sumUp(repeats: readonly Repeats[]): Promise<FoundLines> {
    if (repeats.length === 0) return { lines: [], pending: 0 };
    const { lines, pending } = await this.#verdicts.readLines(repeats.flatMap(({ attempts }) => attempts));
    return { lines: summedLines(repeats, lines), pending };
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
 * The newest attempts (arrays: attempt, its newest repeat) that have an older repeat which is not packed, or has a
 * suite with other verdicts than the newest one.
 */
const DIFFERING_SQL = `
  select distinct p.newest from unnest($1::uuid[], $2::uuid[]) as p(attempt, newest)
    left join attempt_verdicts v on v.attempt_id = p.attempt
    left join attempt_verdicts n on n.attempt_id = p.newest and n.suite = v.suite
  where n.suite is null or n.plan <> v.plan or n.verdicts <> v.verdicts`;

type FoldedLine = Omit<KernelLine, 'tests' | 'positions'> & { plan: string };

function foldedLine({ kernel, suite, plan, verdicts, newest }: RowOf<typeof FOLDED>): FoldedLine[] {
  if (suite === null || plan === null || verdicts === null || newest === null) return [];
  return [{ kernel, suite, plan, verdicts, newest }];
}

/** One combination's results of a test on a kernel, newest first, as one. */
function kernelResult(repeats: readonly RowOf<typeof KERNEL_RESULT>[]): KernelResult[] {
  const judged = judgeRepeats(repeats);
  const shown = repeats[judged?.evidence ?? 0];
  if (shown === undefined) return [];
  const { attempt_id: attemptId, stored_at: storedAt, log, machine, run, combination } = shown;
  const { verdict, reason } = judged ?? shown;
  return [{ combination, verdict, reason, log, attemptId, machine, run, at: storedAt.toISOString() }];
}
