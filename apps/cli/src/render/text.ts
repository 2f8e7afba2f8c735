import { plainText, type Verdict, VERDICT_TABLE } from '@peerlab/contracts';

const COLOURS: Record<Verdict, number> = {
  crash: 35,
  fail: 31,
  bounced: 33,
  tainted: 33,
  flaky: 33,
  infra: 34,
  'no-result': 34,
  canceled: 90,
  'not-reached': 90,
  skip: 36,
  pass: 32,
};

/** Colours only for a terminal that wants them (https://no-color.org). */
export function wantsColour(
  stream: { isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>> = process.env,
): boolean {
  return stream.isTTY === true && env['NO_COLOR'] === undefined;
}

export function verdictText(verdict: Verdict | null, colour: boolean): string {
  if (verdict === null) return '·';
  const { icon, label } = VERDICT_TABLE[verdict];
  const text = `${icon} ${label}`;
  return colour ? `\u001b[${COLOURS[verdict]}m${text}\u001b[0m` : text;
}

/** The beginning of an id, as pages show it; every command takes it. */
export const shortId = (id: string): string => id.slice(0, 8);

/** Columns that a text takes; colours take none. */
const width = (text: string): number => plainText(text).length;

/** Left-aligned columns, two spaces apart; numbers stay readable because cells are padded by visible width. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, width(cell))));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === row.length - 1 ? cell : cell + ' '.repeat((widths[i] ?? 0) - width(cell))))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** How long something took, or takes up to `nowMs`: `42 s`, `3 min 5 s`; empty when it has not begun. */
export function seconds(from: string | null, to: string | null, nowMs: number): string {
  if (from === null) return '';
  const ms = (to === null ? nowMs : Date.parse(to)) - Date.parse(from);
  const total = Math.max(0, Math.round(ms / 1000));
  return total < 60 ? `${total} s` : `${Math.floor(total / 60)} min ${total % 60} s`;
}
