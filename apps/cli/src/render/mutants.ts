import type { BuildMutants, TriedMutant } from '@peerlab/contracts';
import { shortId, table } from './text.js';

/** States that need a reader, with what they are called. */
const SHOWN = [
  ['alive', 'Alive: tests come to the place, and none notices the change'],
  ['not-reached', 'Not reached by any test'],
] as const;

/** Score, counts, and what they are of, as one sentence each. */
function summary({ score, counts, total, mutants, attempts, without, isCut }: BuildMutants): string[] {
  const machines = [...new Set(attempts.map(({ machine }) => machine ?? '?'))].toSorted();
  const tried = counts.killed + counts.alive + counts['not-reached'];
  const rest = [
    counts['not-run'] > 0 ? `${counts['not-run']} were not tried within the budget` : null,
    counts.refused > 0 ? `the compiler refuses ${counts.refused}` : null,
    counts['not-built'] > 0 ? `${counts['not-built']} are in files that are not built` : null,
    total > mutants.length ? `${total - mutants.length} more could be made` : null,
  ].filter((text) => text !== null);
  return [
    score === null
      ? 'No mutant was tried yet.'
      : `Score ${score} %: of ${tried} mutants tried ${counts.killed} were killed, ${counts.alive} are alive, ${counts['not-reached']} were not reached.`,
    ...(rest.length === 0 ? [] : [`${rest.join(', ')}.`]),
    ...(attempts.length === 0 ? [] : [`Added up over ${attempts.length} attempts on ${machines.join(', ')}.`]),
    ...(isCut ? ['There are more attempts; the newest were taken.'] : []),
    ...without.map(
      ({ attemptId, machine, why }) => `Without attempt ${shortId(attemptId)} on ${machine ?? '?'}: ${why}.`,
    ),
  ];
}

const rowsOf = (mutants: readonly TriedMutant[]): string[][] =>
  mutants.map(({ id, path, line, kind, what, tests }) => [id, `${path}:${line}`, kind, what, String(tests)]);

/** For people: the score, and the mutants that no test noticed, with their lines. */
export function mutantsText(result: BuildMutants): string {
  const parts = SHOWN.flatMap(([state, title]) => {
    const rows = rowsOf(result.mutants.filter((mutant) => mutant.state === state));
    return rows.length === 0 ? [] : [`${title}:\n\n${table([['ID', 'LINE', 'KIND', 'WHAT', 'TESTS MET'], ...rows])}`];
  });
  return [`${result.name} (${result.build})`, summary(result).join('\n'), ...parts].join('\n\n');
}

/** For a cover letter: the same as Markdown. */
export function mutantsMarkdown(result: BuildMutants): string {
  // Text of a series must end neither a cell nor its code.
  const cell = (text: string): string => text.replaceAll('`', "'").replaceAll('|', '\\|').replaceAll(/\s/g, ' ');
  const parts = SHOWN.flatMap(([state, title]) => {
    const rows = rowsOf(result.mutants.filter((mutant) => mutant.state === state));
    if (rows.length === 0) return [];
    const lines = rows.map(
      ([id = '', place = '', kind = '', what = '', tests = '']) =>
        `| ${id} | ${cell(place)} | ${cell(kind)} | \`${cell(what)}\` | ${tests} |`,
    );
    return [
      [`${title}:`, '', '| id | line | kind | what | tests met |', '|---|---|---|---|---:|', ...lines].join('\n'),
    ];
  });
  return [`Mutants of the series (${result.name}):`, summary(result).join('\n'), ...parts].join('\n\n');
}
