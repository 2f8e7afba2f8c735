import { useKeys } from '../keys.js';

/**
 * `j` and `k` move through the rows of the page's lists; Enter opens one. The selection is the focus itself, on the link
 * with `data-row` in each row, so that a screen reader announces it and a refetch keeps it.
 */
export function useListKeys(): void {
  useKeys({ listNext: () => moveRow(1), listPrevious: () => moveRow(-1) });
}

function moveRow(by: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('main [data-row]')];
  const focused = document.activeElement?.closest('tr');
  const at = rows.findIndex(
    (row) => row === document.activeElement || (focused != null && row.closest('tr') === focused),
  );
  const next = at === -1 ? (by === 1 ? 0 : rows.length - 1) : at + by;
  const row = rows[Math.max(0, Math.min(rows.length - 1, next))];
  row?.focus({ preventScroll: true });
  row?.scrollIntoView({ block: 'nearest' });
}
