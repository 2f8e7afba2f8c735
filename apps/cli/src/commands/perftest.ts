import { type PerftestReport, readPerftest, sizeText, messageSizeOf, unitText } from '@peerlab/contracts';
import type { Answer, Context } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { readLines } from '../lines.js';
import { table } from '../render/text.js';

/**
 * Reads the output of perftest from a file, `-` being standard input, as metrics by message size. The exit code is that of
 * findings unless it has figures and no error.
 */
export async function showPerftest(
  { stdin }: Context,
  file: string,
  { label }: { label: string | undefined },
): Promise<Answer> {
  const report = readPerftest(await readLines(file, stdin), { label: label ?? '' });
  return {
    data: report,
    text: [figures(report), ...report.problems.map(problemText), totalsText(report)].filter((t) => t !== '').join('\n'),
    exitCode: report.outcome === 'measured' ? EXIT.done : EXIT.findings,
  };
}

function figures({ metrics }: PerftestReport): string {
  if (metrics.length === 0) return '';
  const rows = metrics.map((metric) => {
    const size = messageSizeOf(metric);
    return [
      size?.series ?? metric.name,
      size === null ? '' : sizeText(size.bytes),
      metric.samples.join(' '),
      unitText(metric.unit),
      `${metric.better} is better`,
    ];
  });
  return table([['METRIC', 'SIZE', 'SAMPLES', 'UNIT', ''], ...rows]);
}

const problemText = ({ severity, id, text, count, remedy }: PerftestReport['problems'][number]): string =>
  `${severity} (${id}${count > 1 ? `, ${count} lines` : ''}): ${text}: ${remedy}`;

const totalsText = ({ runs, metrics, outcome }: PerftestReport): string =>
  `${runs.length} tests, ${metrics.length} metrics: ${outcome}`;
