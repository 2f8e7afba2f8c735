import type { FailureClass } from '../../schema/failure.js';
import { type Verdict, VERDICT_TABLE } from '../../schema/verdict.js';
import { bySeverity } from '../verdict.js';
import { hardwareOfRole, isVirtual } from '../combination.js';
import { foldBoots } from '../fold-boots.js';
import { marksOf, markText } from '../known-failure.js';
import { placeNames, placeOfJob, textOfRoles, type PlaceName } from '../place.js';
import { machineMetrics, type MachineMetrics, type Place } from './metrics.js';
import type { HardwareIdentity } from '../../schema/combination.js';
import type { Grid, GridColumn } from '../../schema/grid.js';
import type { BuiltGit } from '../../schema/kernel-source.js';
import type { MachineSummary } from '../../schema/machines.js';
import type { JobView, RunDetail } from '../../schema/run-detail.js';

export interface MatrixRow extends Place {
  verdict: Verdict | null;
  /** Names of its builds, each once. */
  kernels: string[];
  /** Boots of the build on the machine. */
  boots: number;
  /** By suite; absent where the suite did not run. */
  suites: Map<string, Partial<Record<Verdict, number>>>;
}

/** Results that are alike: same verdict, same reason, same places. */
export interface Finding {
  suite: string;
  tests: string[];
  verdict: Verdict;
  reason: string;
  places: string[];
  /** Why it counts as known; null: it is new. */
  known: string | null;
}

/** Tests of a suite that did not run, for one reason. */
export interface SkipGroup {
  suite: string;
  reason: string;
  tests: string[];
  places: string[];
}

export interface RunReport {
  run: Pick<RunDetail, 'id' | 'name' | 'state' | 'verdict' | 'counts' | 'jobs' | 'progress' | 'createdAt' | 'endedAt'>;
  builds: { name: string; release: string | null; config: string; git: BuiltGit | null }[];
  suites: string[];
  matrix: MatrixRow[];
  /** New findings, worst first. */
  findings: Finding[];
  /** Findings that people know, worst first. */
  known: Finding[];
  skips: SkipGroup[];
  /** Canceled or not reached: it says nothing by itself. */
  unrun: Finding[];
  /** Of all tests with a duration the longest first, each where it took longest; at most SLOWEST_MAX. */
  slowest: { suite: string; test: string; place: string; durationMs: number }[];
  /** How many tests have a duration. */
  timed: number;
  /** Attempt by place, as findings and skips name the places; of several boots that with the worst verdict. */
  attempts: Readonly<Record<string, string>>;
  /** Jobs that ended early, and why. */
  failures: {
    kind: JobView['kind'];
    place: PlaceName;
    class: FailureClass;
    /** Whose failure it is, where there are several. */
    role: string | null;
    message: string;
  }[];
  /** Machines that turned out sick after they ran a part of it. */
  suspects: { machine: string; reason: string; attempts: number }[];
  machines: MachineMetrics[];
  /** Some figures are of virtual machines: they are ratios only. */
  isVirtual: boolean;
}

/** Tests that `slowest` names. */
const SLOWEST_MAX = 10;

/** Everything that a run showed, arranged for people. Pure. */
export function reportOfRun(run: RunDetail, source: Grid, machines: readonly MachineSummary[]): RunReport {
  const { grid, bootsOf } = foldBoots(source);
  const topology = new Map(machines.map(({ name, labels }) => [name, labels['topology'] ?? '']));
  const placesOf = (columns: readonly GridColumn[]): Place[] =>
    placeNames(columns).flatMap((name, at) => {
      const column = columns[at];
      if (column === undefined) return [];
      const parts = partsOf(column);
      const text = (of: (part: Part) => string): string =>
        textOfRoles(parts.map((part) => ({ role: part.role, text: of(part) })));
      return {
        ...name,
        topology: text(({ machine }) => topology.get(machine ?? '') ?? ''),
        pathKind: text(({ hardware }) => hardware.pathKind),
        iommu: text(({ hardware }) => hardware.platform.iommu),
        config: text(({ build }) => build.config ?? '?'),
      };
    });
  const places = placesOf(grid.columns);
  const builds = new Map(
    grid.columns
      .flatMap(partsOf)
      // A build may be several kernels, of one configuration each.
      .map(({ build: { name, release, config, git } }) => [
        JSON.stringify([name, config]),
        { name, release, config: config ?? '?', git },
      ]),
  );
  return {
    run: {
      id: run.id,
      name: run.name,
      state: run.state,
      verdict: run.verdict,
      counts: run.counts,
      jobs: run.jobs,
      progress: run.progress,
      createdAt: run.createdAt,
      endedAt: run.endedAt,
    },
    builds: [...builds.values()],
    suites: [...new Set(grid.rows.map(({ suite }) => suite))],
    matrix: places.map((place, column) => ({
      ...matrixRow(grid, place, column),
      kernels: [...new Set(partsOf(grid.columns[column]).map(({ build }) => build.name))],
      boots: bootsOf[column]?.length ?? 1,
    })),
    ...groupResults(grid, places),
    ...slowestOf(grid, places),
    attempts: Object.fromEntries(
      grid.columns.flatMap(({ attemptId }, column) => {
        const place = places[column];
        return attemptId === null || place === undefined ? [] : [[place.name, attemptId]];
      }),
    ),
    failures: run.jobViews.flatMap((job) => {
      const failure = job.attempts.at(-1)?.failure;
      if (failure == null) return [];
      const { class: name, role = null, message } = failure;
      return [{ kind: job.kind, place: placeOfJob(job), class: name, role, message }];
    }),
    suspects: suspectsOf(run),
    machines: machineMetrics(source, placesOf(source.columns)),
    isVirtual: grid.columns.some(({ combination }) => isVirtual(combination.identity)),
  };
}

interface Part {
  role: string | null;
  machine: string | null;
  build: Pick<GridColumn['build'], 'name' | 'release' | 'config' | 'git'>;
  hardware: HardwareIdentity;
}

/** What each role of a column is: of most columns there is one, without a name. */
function partsOf(column: GridColumn | undefined): Part[] {
  if (column === undefined) return [];
  const { machine, build, roles, combination } = column;
  if (roles === undefined) return [{ role: null, machine, build, hardware: combination.identity }];
  return roles.map((each) => ({ ...each, hardware: hardwareOfRole(combination.identity, each.role) }));
}

function suspectsOf({ suspects }: RunDetail): RunReport['suspects'] {
  const byMachine = new Map<string, RunReport['suspects'][number]>();
  for (const { machine, reason } of suspects) {
    const known = byMachine.get(machine) ?? { machine, reason, attempts: 0 };
    byMachine.set(machine, { ...known, attempts: known.attempts + 1 });
  }
  return [...byMachine.values()];
}

function matrixRow(grid: Grid, place: Place, column: number): Omit<MatrixRow, 'boots' | 'kernels'> {
  const suites: MatrixRow['suites'] = new Map();
  for (const cell of grid.cells) {
    const suite = grid.rows[cell.row]?.suite;
    if (cell.column !== column || suite === undefined) continue;
    const counts = suites.get(suite) ?? {};
    counts[cell.verdict] = (counts[cell.verdict] ?? 0) + 1;
    suites.set(suite, counts);
  }
  return { ...place, verdict: grid.columns[column]?.verdict ?? null, suites };
}

function slowestOf(grid: Grid, places: readonly Place[]): Pick<RunReport, 'slowest' | 'timed'> {
  const longest = new Map<number, RunReport['slowest'][number]>();
  for (const { row, column, durationMs } of grid.cells) {
    const [what, place] = [grid.rows[row], places[column]];
    if (durationMs === null || what === undefined || place === undefined) continue;
    if (durationMs <= (longest.get(row)?.durationMs ?? -1)) continue;
    longest.set(row, { suite: what.suite, test: what.test, place: place.name, durationMs });
  }
  const all = [...longest.values()].toSorted((a, b) => b.durationMs - a.durationMs);
  return { slowest: all.slice(0, SLOWEST_MAX), timed: all.length };
}

function groupResults(grid: Grid, places: readonly Place[]): Pick<RunReport, 'findings' | 'known' | 'skips' | 'unrun'> {
  const markAt = marksOf(grid);
  const findings = new Map<string, Finding>();
  const skips = new Map<string, SkipGroup>();
  for (const cell of grid.cells) {
    const row = grid.rows[cell.row];
    const place = places[cell.column];
    if (row === undefined || place === undefined || cell.verdict === 'pass') continue;
    const { suite, test } = row;
    const reason = cell.reason ?? VERDICT_TABLE[cell.verdict].help;
    const where = place.name;
    if (cell.verdict === 'skip') {
      const key = JSON.stringify([suite, reason]);
      const group = skips.get(key) ?? { suite, reason, tests: [], places: [] };
      skips.set(key, group);
      if (!group.tests.includes(test)) group.tests.push(test);
      if (!group.places.includes(where)) group.places.push(where);
      continue;
    }
    const mark = markAt(cell.row, cell.column);
    const known = mark === undefined ? null : markText(mark);
    const key = JSON.stringify([suite, test, cell.verdict, reason, known]);
    const finding = findings.get(key) ?? { suite, tests: [test], verdict: cell.verdict, reason, places: [], known };
    findings.set(key, finding);
    if (!finding.places.includes(where)) finding.places.push(where);
  }
  // One cause often fails many tests at the same places.
  const merged = new Map<string, Finding>();
  for (const { tests, ...alike } of findings.values()) {
    const key = JSON.stringify(alike);
    merged.set(key, { ...alike, tests: [...(merged.get(key)?.tests ?? []), ...tests] });
  }
  const found = [...merged.values()].toSorted((a, b) => bySeverity(a.verdict, b.verdict));
  return {
    findings: found.filter(({ verdict, known }) => VERDICT_TABLE[verdict].wrong && known === null),
    known: found.filter(({ verdict, known }) => VERDICT_TABLE[verdict].wrong && known !== null),
    unrun: found.filter(({ verdict }) => !VERDICT_TABLE[verdict].wrong),
    skips: [...skips.values()],
  };
}
