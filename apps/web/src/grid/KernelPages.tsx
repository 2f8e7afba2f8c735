import { Link, useNavigate } from '@tanstack/react-router';
import { KERNELS_COUNTED, type BuildGrid } from '@peerlab/contracts';
import { useEffect, useRef, type ReactNode } from 'react';
import { useKeys, withKeys } from '../keys.js';
import type { GridSearch } from '../search.js';
import { countText } from '../ui/numbers.js';
import { pageText } from './kernel-model.js';

/** Links to older and newer kernels, and which kernels are shown; nothing when all are shown. */
export function KernelPages({ grid, search }: { grid: BuildGrid; search: GridSearch }): ReactNode {
  const { older, newer } = grid;
  const navigate = useNavigate();
  const nav = useRef<HTMLElement>(null);
  /** The page that was left, until the next one has loaded. */
  const left = useRef<BuildGrid | null>(null);
  // The last page lacks the link that was followed: the focus moves to the other one.
  useEffect(() => {
    if (left.current === null || left.current === grid) return;
    left.current = null;
    if (document.activeElement === document.body) nav.current?.querySelector('a')?.focus({ preventScroll: true });
  }, [grid]);
  const to = (before: string | null): GridSearch => ({ ...search, before: before ?? undefined, cell: undefined });
  const turn = (before: string | null): void => {
    left.current = grid;
    void navigate({ to: '/', search: to(before), resetScroll: false });
  };
  useKeys({
    ...(newer.count > 0 ? { newerKernels: () => turn(newer.before) } : {}),
    ...(older.count > 0 ? { olderKernels: () => turn(older.before) } : {}),
  });
  if (older.count === 0 && newer.count === 0) return null;
  const common = { to: '/', resetScroll: false, onClick: () => (left.current = grid) } as const;
  return (
    <nav ref={nav} className="kernel-pages" aria-label="Kernels by age">
      {newer.before !== null && (
        <Link {...common} search={to(null)}>
          <span aria-hidden="true">⇤ </span>newest kernels
        </Link>
      )}
      {newer.count > 0 && (
        <Link {...common} search={to(newer.before)} title={withKeys('newer kernels', 'newerKernels')}>
          <span aria-hidden="true">← </span>newer kernels
        </Link>
      )}
      <span className="muted">
        {newer.count < KERNELS_COUNTED
          ? pageText(newer.count, grid.columns.length, older.count)
          : `kernels with results; ${countText(newer.count)} or more are newer`}
      </span>
      {older.count > 0 && (
        <Link {...common} search={to(older.before)} title={withKeys('older kernels', 'olderKernels')}>
          older kernels<span aria-hidden="true"> →</span>
        </Link>
      )}
    </nav>
  );
}
