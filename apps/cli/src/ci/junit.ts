import {
  gitTitle,
  marksOf,
  markText,
  placeNames,
  VERDICT_TABLE,
  verdictOfFailure,
  type Grid,
  type RunReport,
  type Verdict,
} from '@peerlab/contracts';

/** Characters that XML 1.0 has no place for. */
const NO_XML =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string): string =>
  text.replaceAll(NO_XML, '\ufffd').replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? '');

interface Case {
  name: string;
  verdict: Verdict;
  reason: string;
  seconds: number;
}

/**
 * The results of a run as JUnit XML: a suite for each suite on each column of the grid, and one for jobs that ended
 * early. Findings are failures; what only the lab failed at is an error; what did not run is skipped.
 */
export function junitOf(grid: Grid, { run, failures }: Pick<RunReport, 'run' | 'failures'>): string {
  const suites = new Map<string, Case[]>();
  const sources = new Map<string, string>();
  const markAt = marksOf(grid);
  const places = placeNames(grid.columns);
  for (const { row, column, verdict, reason, durationMs } of grid.cells) {
    const [test, place] = [grid.rows[row], grid.columns[column]];
    if (test === undefined || place === undefined) continue;
    const { machine = '?', build = '?' } = places[column] ?? {};
    const isPlaced = place.machine !== null || place.roles !== undefined;
    const name = `${test.suite} on ${isPlaced ? machine : place.combination.label} / ${build}`;
    const cases = suites.get(name) ?? [];
    suites.set(name, cases);
    const source = sourceOf(place);
    if (source !== null) sources.set(name, source);
    const mark = markAt(row, column);
    cases.push({
      name: test.test,
      verdict,
      reason: `${reason ?? VERDICT_TABLE[verdict].help}${mark === undefined ? '' : ` (${markText(mark)})`}`,
      seconds: (durationMs ?? 0) / 1000,
    });
  }
  const early = failures.map(
    (failure): Case => ({
      name: `${failure.place.machine} / ${failure.place.build}`,
      verdict: verdictOfFailure(failure.class),
      reason: `${failure.class}${failure.role === null ? '' : ` of ${failure.role}`}: ${failure.message}`,
      seconds: 0,
    }),
  );
  if (early.length > 0) suites.set('jobs that ended early', early);
  const parts = [...suites].map(([name, cases]) => suiteXml(name, cases, sources.get(name)));
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="${escaped(run.name)}">\n${parts.join('')}</testsuites>\n`;
}

/** What the kernel of a column was built from, of several roles each of them; null where none is of a git repository. */
function sourceOf({ build, roles }: Grid['columns'][number]): string | null {
  const parts = roles?.map((each) => ({ role: `${each.role} `, git: each.build.git })) ?? [
    { role: '', git: build.git },
  ];
  const texts = parts.flatMap(({ role, git }) => (git === null ? [] : [`${role}${gitTitle(git)}`]));
  return texts.length === 0 ? null : texts.join('; ');
}

type Kind = 'failure' | 'error' | 'skipped' | null;

function kindOf(verdict: Verdict): Kind {
  const { wrong, conclusive } = VERDICT_TABLE[verdict];
  if (wrong) return conclusive ? 'failure' : 'error';
  return verdict === 'pass' ? null : 'skipped';
}

/** @param source what the kernel of the suite was built from; a property */
function suiteXml(name: string, cases: readonly Case[], source?: string): string {
  const count = (kind: Kind): number => cases.filter(({ verdict }) => kindOf(verdict) === kind).length;
  const seconds = cases.reduce((sum, each) => sum + each.seconds, 0);
  const counts = `tests="${cases.length}" failures="${count('failure')}" errors="${count('error')}" skipped="${count('skipped')}"`;
  const properties =
    source === undefined ? '' : `    <properties><property name="source" value="${escaped(source)}"/></properties>\n`;
  const body = cases.map((each) => caseXml(name, each)).join('');
  return `  <testsuite name="${escaped(name)}" ${counts} time="${seconds.toFixed(3)}">\n${properties}${body}  </testsuite>\n`;
}

function caseXml(suite: string, { name, verdict, reason, seconds }: Case): string {
  const head = `    <testcase classname="${escaped(suite)}" name="${escaped(name)}" time="${seconds.toFixed(3)}"`;
  const kind = kindOf(verdict);
  if (kind === null) return `${head}/>\n`;
  const type = kind === 'skipped' ? '' : ` type="${verdict}"`;
  return `${head}><${kind}${type} message="${escaped(`${verdict}: ${reason}`)}"/></testcase>\n`;
}
