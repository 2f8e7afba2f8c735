/** 0.012 → "0.012", 14321.6 → "14 322": three significant digits, grouped by spaces. */
export function figureText(value: number): string {
  if (Math.abs(value) >= 1000)
    return Math.round(value)
      .toString()
      .replace(/\B(?=(\d{3})+$)/g, ' ');
  return Number(value.toPrecision(3)).toString();
}
