const two = (value: number): string => String(value).padStart(2, '0');

/** The local day `days` days after a moment, as a date field has it: `2026-12-30`. @param at milliseconds since 1970 */
export function dayAfter(at: number, days: number): string {
  const day = new Date(at);
  day.setDate(day.getDate() + days);
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}

/** The last second of a local day as an ISO time; null when the text is no day. */
export function endOfDay(day: string): string | null {
  const end = new Date(`${day}T23:59:59`);
  return Number.isNaN(end.getTime()) ? null : end.toISOString();
}
