/** Created once: creating one costs more than formatting a thousand numbers. */
const GROUPED = new Intl.NumberFormat('en');
const grouped = (value: number): string => GROUPED.format(value).replaceAll(',', '\u202f');

/** Number with three significant digits and thin group separators: `14 800`, `280`, `1.25`. */
export function numberText(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 100) return grouped(Math.round(value));
  if (size === 0) return '0';
  return String(Number(value.toPrecision(3)));
}

/** Count with thin group separators. */
export function countText(value: number): string {
  return grouped(value);
}

/** A count with its noun: `1 column`, `2 columns`. @param many the plural, where it is more than the noun and an s */
export function countOf(value: number, one: string, many = `${one}s`): string {
  return `${countText(value)} ${value === 1 ? one : many}`;
}

/** Lines of a log, counted from 1 as people do, from their sequence numbers: `32–35`, `13`. */
export function linesText(fromSeq: number, toSeq: number): string {
  return fromSeq === toSeq ? countText(fromSeq + 1) : `${countText(fromSeq + 1)}–${countText(toSeq + 1)}`;
}

const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Size in bytes in the largest binary unit that keeps it at 1 or more: `256 MiB`. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < SIZES.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number(value.toFixed(1))} ${SIZES[unit]}`;
}
