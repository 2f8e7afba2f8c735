/** A text of a stranger on one line: lines are joined by a space, without the blanks around the breaks. */
export const oneLine = (text: string): string =>
  text
    .split(/\r\n|\r|\n/)
    .map((line, index, all) => {
      const begun = index === 0 ? line : line.trimStart();
      return index === all.length - 1 ? begun : begun.trimEnd();
    })
    .filter((line, index, all) => line !== '' || index === 0 || index === all.length - 1)
    .join(' ');

const escaped = (text: string): string => oneLine(text).replaceAll('|', '\\|');

/** A Markdown table; cells may have any text. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escaped).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

/** The same with columns of equal width, so that it also reads as plain text; all but the outer columns are numbers. */
export function alignedTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map(escaped));
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => (row[column] ?? '').length)));
  const isText = (column: number): boolean => column === 0 || column === head.length - 1;
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (isText(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`;
  const rule = widths.map((width, column) => (isText(column) ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`));
  const [first = [], ...body] = cells;
  return [line(first), `|${rule.join('|')}|`, ...body.map(line)].join('\n');
}
