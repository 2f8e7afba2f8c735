import { coveragePercent, type BuildCoverage, type CoverageFile } from '@peerlab/contracts';
import { shortId, table } from './text.js';

/** Lines of code that did not run, as they are printed, with their numbers in the file. */
function missedLines({ hunks }: CoverageFile): { line: number; text: string }[] {
  return hunks.flatMap(({ newStart, lines }) => {
    let number = newStart;
    return lines.flatMap(({ kind, text, ran }) => {
      const line = number;
      if (kind === '+' || kind === ' ') number += 1;
      return ran === 0 ? [{ line, text }] : [];
    });
  });
}

const percentText = (of: { code: number; ran: number }): string => {
  const percent = coveragePercent(of);
  return percent === null ? '–' : `${percent} %`;
};

function rowsOf({ files, totals }: BuildCoverage): string[][] {
  const rows = files.map((file) =>
    file.isBuilt
      ? [file.path, String(file.added), String(file.code), String(file.ran), percentText(file)]
      : [file.path, String(file.notBuilt), 'not built', '', ''],
  );
  const sum = ['all that is built', String(totals.added), String(totals.code), String(totals.ran), percentText(totals)];
  return files.length === 0 ? [] : [...rows, sum];
}

/** What the figures are of, as one sentence each. */
function sourcesOf({ attempts, without, isCut, isDiffCut }: BuildCoverage): string[] {
  const machines = [...new Set(attempts.map(({ machine }) => machine ?? '?'))].toSorted();
  return [
    attempts.length === 0
      ? 'No attempt has counted anything yet.'
      : `Added up over ${attempts.length} attempts on ${machines.join(', ')}.`,
    ...(isCut ? ['There are more attempts; the newest were taken.'] : []),
    ...(isDiffCut ? ['The series is so long that lines of some files are left out; the figures have them.'] : []),
    ...without.map(
      ({ attemptId, machine, why }) => `Without attempt ${shortId(attemptId)} on ${machine ?? '?'}: ${why}.`,
    ),
  ];
}

/** For people: figures by file, and the added lines with code that no attempt ran. */
export function coverageText(coverage: BuildCoverage): string {
  const rows = rowsOf(coverage);
  const missed = coverage.files.flatMap((file) => {
    const lines = missedLines(file);
    return lines.length === 0
      ? []
      : [`${file.path}\n${lines.map(({ line, text }) => `${String(line).padStart(6)}: ${text}`).join('\n')}`];
  });
  return [
    `${coverage.name} (${coverage.build})`,
    sourcesOf(coverage).join('\n'),
    ...(rows.length === 0 ? [] : [table([['FILE', 'ADDED', 'WITH CODE', 'RAN', ''], ...rows])]),
    ...(missed.length === 0 ? [] : [`Added code that did not run:\n\n${missed.join('\n\n')}`]),
  ].join('\n\n');
}

/** For a cover letter: the same as Markdown. */
export function coverageMarkdown(coverage: BuildCoverage): string {
  const rows = rowsOf(coverage);
  // Text of a series must end neither the table nor the block.
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const block = coverage.files.flatMap((file) => {
    const lines = missedLines(file);
    if (lines.length === 0) return [];
    return [`/* ${file.path} */`, ...lines.map(({ line, text }) => `${line}: ${text.trim().replaceAll('`', "'")}`)];
  });
  return [
    `Coverage of the series by its tests (${coverage.name}):`,
    ...(rows.length === 0
      ? []
      : [
          [
            '| file | added lines | of them code | ran | |',
            '|---|---:|---:|---:|---:|',
            ...rows.map((row) => `| ${row.map(cell).join(' | ')} |`),
          ].join('\n'),
        ]),
    sourcesOf(coverage).join('\n'),
    ...(block.length === 0 ? [] : [`Added code that did not run:\n\n\`\`\`c\n${block.join('\n')}\n\`\`\``]),
  ].join('\n\n');
}
