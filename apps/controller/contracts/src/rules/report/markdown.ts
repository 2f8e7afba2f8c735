import { figureText } from './figure.js';
import { BOOTS_MIN, LEVEL } from '../significance/boots.js';
import { gitTitle } from '../git-source.js';
import { RATIOS_ONLY } from '../combination.js';
import { bootsText } from '../significance/words.js';
import { metricNames, type MachineMetrics, type MetricValue } from './metrics.js';
import type { Finding, RunReport, SkipGroup } from './model.js';
import { markdownTable, oneLine } from './table.js';
import type { Verdict } from '../../schema/verdict.js';
import { standingText } from '../run-standing.js';
import { unitText } from '../unit.js';

/** Of a run without a new finding. */
export const noFinding = ({ known }: Pick<RunReport, 'known'>): string =>
  known.length === 0
    ? 'None: every test that ran passed.'
    : 'None that is new: every test that ran passed, or its failure is known.';

/** Names that a group lists before it only counts. */
const NAMES_SHOWN = 6;

/** A run's report as Markdown, for a README, a pull request or a cover letter. Web and CLI both give this text. */
export function renderReport(report: RunReport): string {
  const { run } = report;
  const parts = [
    `## ${run.name}`,
    `Run ${run.id}, ${run.createdAt} to ${run.endedAt ?? 'now'}: **${standingText(run)}**.`,
    list(report.builds.map(buildText)),
    ...(report.suspects.length === 0 ? [] : ['### Suspect', list(report.suspects.map(suspectText))]),
    '### Results',
    'Passed/failed/skipped tests; other verdicts by name. Empty: the suite was not asked for there.',
    matrix(report),
    '### Findings',
    report.findings.length === 0 ? noFinding(report) : list(report.findings.map(findingText)),
  ];
  if (report.known.length > 0) parts.push('### Known failures', list(report.known.map(findingText)));
  if (report.failures.length > 0) {
    parts.push('### Jobs that ended early', list(report.failures.map(failureText)));
  }
  if (report.unrun.length > 0) parts.push('### Did not run', list(report.unrun.map(findingText)));
  if (report.skips.length > 0) parts.push('### Skipped', list(report.skips.map(skipText)));
  if (report.machines.length > 0) {
    parts.push(
      '### Measurements',
      ...measuredHow(report),
      overview(report.machines),
      ...report.machines.flatMap((machine) => [
        `#### ${machine.machine}: ${[machine.topology, machine.pathKind, `IOMMU ${machine.iommu}`].filter((t) => t !== '').join(', ')}`,
        metricTable(machine),
      ]),
    );
  }
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function buildText({ name, release, config, git }: RunReport['builds'][number]): string {
  const source = git === null ? '' : `, ${oneLine(gitTitle(git))}`;
  return `\`${name}\`: ${release ?? 'not built'}, config ${config}${source}`;
}

/** What the figures are, and what they are not; a paragraph each. */
export function measuredHow({ isVirtual, machines }: Pick<RunReport, 'isVirtual' | 'machines'>): string[] {
  return [
    ...(isVirtual ? [RATIOS_ONLY] : []),
    'Median of the boots (of one boot: lower to upper quartile; of more: lowest to highest boot; boots, samples). ' +
      '“÷ RAM” and “÷ fallback” compare with the same access to system memory and with migration back to it in the ' +
      'same kernel; “÷ before” with the kernel without the feature, which must migrate where the other takes an ' +
      `alias. ${verdictText(machines)}`,
  ];
}

const list = (items: readonly string[]): string => items.map((item) => `- ${item}`).join('\n');

function matrix({ suites, matrix: rows }: RunReport): string {
  const isRepeated = rows.some(({ boots }) => boots > 1);
  return markdownTable(
    ['machine', 'topology', 'path', 'IOMMU', 'build', 'config', ...(isRepeated ? ['boots'] : []), ...suites, 'verdict'],
    rows.map((row) => [
      row.machine,
      row.topology,
      row.pathKind,
      row.iommu,
      row.build,
      row.config,
      ...(isRepeated ? [String(row.boots)] : []),
      ...suites.map((suite) => countsText(row.suites.get(suite))),
      row.verdict ?? 'running',
    ]),
  );
}

/** `58/0/7`, and `58/0/7, 2 bounced` when there is more to say. */
export function countsText(counts: Partial<Record<Verdict, number>> | undefined): string {
  if (counts === undefined) return '';
  const { pass = 0, fail = 0, skip = 0, ...others } = counts;
  const rest = Object.entries(others).map(([verdict, count]) => `${count} ${verdict}`);
  return [`${pass}/${fail}/${skip}`, ...rest].join(', ');
}

function names(all: readonly string[]): string {
  if (all.length <= NAMES_SHOWN) return all.join(', ');
  return `${all.slice(0, NAMES_SHOWN).join(', ')} and ${all.length - NAMES_SHOWN} more`;
}

function testsText(suite: string, tests: readonly string[]): string {
  if (tests.length === 1) return `\`${suite}/${tests[0] ?? ''}\``;
  return `${tests.length} tests of ${suite} (${names(tests)})`;
}

function findingText({ suite, tests, verdict, reason, places, known }: Finding): string {
  const mark = known === null ? '' : ` (${oneLine(known)})`;
  return `**${verdict}** ${testsText(suite, tests)} on ${names(places)}: ${oneLine(reason)}${mark}`;
}

function suspectText({ machine, reason, attempts }: RunReport['suspects'][number]): string {
  const what = attempts === 1 ? 'one attempt' : `${attempts} attempts`;
  return `**${machine}** failed a health check (${oneLine(reason)}) after it ran ${what} of this run: do not trust them`;
}

function failureText({ place, class: kind, role, message }: RunReport['failures'][number]): string {
  return `${place.name}: **${kind}**${role === null ? '' : ` of ${role}`} ${oneLine(message)}`;
}

function skipText({ suite, reason, tests, places }: SkipGroup): string {
  return `${testsText(suite, tests)} on ${names(places)}: ${oneLine(reason)}`;
}

const ratioText = (ratio: number | null): string => (ratio === null ? '' : `×${figureText(ratio)}`);

function valueText(value: MetricValue | null): string {
  if (value === null) return '';
  const { median, low, high, boots, n } = value;
  return `${figureText(median)} (${figureText(low)}–${figureText(high)}, ${bootsText(boots)}, ${n})`;
}

/** What the ratios to the kernel before are worth. */
function verdictText(machines: readonly MachineMetrics[]): string {
  const values = machines.flatMap(({ rows }) => rows.flatMap(({ values: own }) => own)).filter((each) => each !== null);
  const fewest = Math.min(...values.map(({ boots }) => boots));
  if (fewest < BOOTS_MIN) {
    return `No verdict below ${BOOTS_MIN} boots of each build (\`repeat: 5\`): a ratio of so few may be chance.`;
  }
  return `“better” and “worse” are said where the boots leave no doubt; at most ${LEVEL * 100} % of such reports have any that is false.`;
}

/** `×0.02 better`; without a verdict the bare ratio. */
function beforeText(value: MetricValue | null): string {
  const ratio = ratioText(value?.toBase ?? null);
  return value?.says == null || value.says.says === 'unclear' ? ratio : `${ratio} ${value.says.says}`;
}

function overview(machines: readonly MachineMetrics[]): string {
  const { head, rows } = overviewCells(machines);
  return rows.length === 0 ? '' : markdownTable(head, rows);
}

/**
 * Ratios of every alias metric, a row each, and a column for each machine and build that has any. Metrics are many where
 * machines and builds are few: a page stays narrow.
 */
export function overviewCells(machines: readonly MachineMetrics[]): { head: string[]; rows: string[][] } {
  const found = machines.flatMap(({ rows }) => rows).filter(({ name }) => name.includes('.alias'));
  const keyOf = ({ suite, name, role }: (typeof found)[number]): string => JSON.stringify([suite, name, role]);
  const aliases = [...new Map(found.map((row) => [keyOf(row), row])).values()];
  const called = metricNames(aliases);
  const columns = machines.flatMap(({ machine, builds, rows }) =>
    builds.map((build, at) => ({
      head: `${machine}/${build}`,
      cells: aliases.map((alias) => comparedText(rows.find((row) => keyOf(row) === keyOf(alias))?.values[at] ?? null)),
    })),
  );
  const used = columns.filter(({ cells }) => cells.some((cell) => cell !== ''));
  const rows = called.map((name, at) => [name, ...used.map(({ cells }) => cells[at] ?? '')]);
  return {
    head: ['Metric', ...used.map(({ head }) => head)],
    rows: rows.filter((row) => row.slice(1).some((cell) => cell !== '')),
  };
}

/** `×1.33 RAM, ×0.09 fallback`; empty when the value is compared with nothing. */
function comparedText(value: MetricValue | null): string {
  if (value === null) return '';
  return [
    value.toRam === null ? null : `${ratioText(value.toRam)} RAM`,
    value.toFallback === null ? null : `${ratioText(value.toFallback)} fallback`,
    value.toBase === null ? null : `${beforeText(value)} before`,
  ]
    .filter((text) => text !== null)
    .join(', ');
}

function metricTable(machine: MachineMetrics): string {
  const { head, rows } = metricCells(machine);
  return markdownTable(head, rows);
}

/** The table of a machine's figures as texts: head and rows, without columns that no row has. */
export function metricCells({ builds, rows }: MachineMetrics): { head: string[]; rows: string[][] } {
  const head = builds.flatMap((build) => [build, '÷ RAM', '÷ fallback', '÷ before']);
  const called = metricNames(rows);
  // A comparison that no row of the build has is no column.
  const cells = rows.map(({ values }) =>
    values.flatMap((value) => [
      valueText(value),
      ratioText(value?.toRam ?? null),
      ratioText(value?.toFallback ?? null),
      beforeText(value),
    ]),
  );
  const used = head.map((_, index) => cells.some((row) => row[index] !== ''));
  const keep = (row: readonly string[]): string[] => row.filter((_, index) => used[index]);
  return {
    head: ['Metric', 'Unit', ...keep(head)],
    rows: rows.map(({ unit, better }, index) => [
      called[index] ?? '',
      `${unitText(unit)}, ${better} is better`,
      ...keep(cells[index] ?? []),
    ]),
  };
}
