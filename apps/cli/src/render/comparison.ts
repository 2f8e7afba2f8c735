import {
  bootsText,
  CHANGE_CLASSES,
  CHANGE_TABLE,
  figureText,
  isVirtual,
  RATIOS_ONLY,
  saysText,
  unitText,
  whyText,
  type ComparedMetric,
  type Comparison,
} from '@peerlab/contracts';

/** A comparison as Markdown: both sides, counts by combination, tests and metrics. Says how much the answer left out. */
export function renderComparison(comparison: Comparison): string {
  const { a, b, combinations, rows, rowsTotal, metrics, metricsTotal } = comparison;
  const used = CHANGE_CLASSES.filter((name) => combinations.some(({ counts }) => (counts[name] ?? 0) > 0));
  const labelOf = (index: number): string => combinations[index]?.combination.label ?? '?';
  const parts = [
    `## ${b.kernel.name} against ${a.kernel.name}`,
    [sideText('A', a), sideText('B', b)].join('\n'),
    markdownTable(
      ['combination', ...used],
      combinations.map(({ combination, counts }) => [
        combination.label,
        ...used.map((name) => String(counts[name] ?? 0)),
      ]),
    ),
    used.map((name) => `- ${CHANGE_TABLE[name].icon} ${name}: ${CHANGE_TABLE[name].help}`).join('\n'),
  ];
  if (rows.length > 0) {
    parts.push(
      '### Tests',
      markdownTable(
        ['', 'test', 'combination', 'A', 'B', 'reason'],
        rows.map((row) => [
          row.class,
          `${row.suite}/${row.test}`,
          labelOf(row.combination),
          row.a?.verdict ?? '',
          row.b?.verdict ?? '',
          row.b?.reason ?? row.a?.reason ?? '',
        ]),
      ),
      leftOut(rows.length, rowsTotal, 'tests'),
    );
  }
  if (metrics.length > 0) {
    parts.push(
      '### Metrics',
      combinations.some(({ combination }) => isVirtual(combination.identity)) ? RATIOS_ONLY : '',
      markdownTable(
        ['metric', 'combination', 'A', 'B', 'B ÷ A', ''],
        metrics.map((metric) => [
          `${metric.suite}/${metric.name} (${unitText(metric.unit)}, ${metric.better} is better)`,
          labelOf(metric.combination),
          spreadText(metric.a),
          spreadText(metric.b),
          ratioText(metric.ratio),
          judgementText(metric),
        ]),
      ),
      leftOut(metrics.length, metricsTotal, 'metrics'),
    );
  }
  return parts.filter((part) => part !== '').join('\n\n');
}

function sideText(letter: string, { run, kernel }: Comparison['a']): string {
  return `- ${letter}: build \`${kernel.name}\` of run ${oneLine(run.name)} (${run.id}), ${run.createdAt}`;
}

function leftOut(shown: number, total: number, what: string): string {
  return shown >= total ? '' : `${shown} of ${total} ${what}: those that tell the most. --json has no more.`;
}

function spreadText(spread: ComparedMetric['a']): string {
  if (spread === null) return '';
  const { median, lowest, highest, n, boots } = spread;
  const range = boots > 1 ? `${figureText(lowest)}–${figureText(highest)}; ` : '';
  return `${figureText(median)} (${range}${n} samples, ${bootsText(boots)})`;
}

function ratioText(ratio: ComparedMetric['ratio']): string {
  if (ratio === null) return '';
  const { value, low, high } = ratio;
  const interval = low === null || high === null ? '' : ` (${figureText(low)}–${figureText(high)})`;
  return `×${figureText(value)}${interval}`;
}

/** What the controller says of a metric. This program judges nothing itself. */
function judgementText(metric: ComparedMetric): string {
  const why = whyText(metric);
  return why === '' ? saysText(metric) : `${saysText(metric)}: ${why}`;
}

const oneLine = (text: string): string => text.replaceAll('\n', ' ');

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => oneLine(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}
