/** Rows as CSV (RFC 4180). A cell of text may have been named by a stranger. */
export const csvText = (rows: readonly (readonly (number | string)[])[]): string =>
  rows.map((row) => `${row.map(cellText).join(',')}\r\n`).join('');

/** A spreadsheet runs a text that begins like a formula. */
function cellText(value: number | string): string {
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
