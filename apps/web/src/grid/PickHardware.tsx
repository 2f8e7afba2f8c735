import { getRouteApi, Link } from '@tanstack/react-router';
import type { Combination } from '@peerlab/contracts';
import type { ReactNode } from 'react';

const route = getRouteApi('/');

/**
 * Picks a combination in the header of the grid to be compared with another: the first choice is kept in the address, the
 * second one opens the comparison of the kernel on both.
 */
export function PickHardware({
  combination: { hash, label },
  build,
  isTabStop = true,
  children,
}: {
  combination: Combination;
  /** A build of the kernel that is compared, as this combination has it. */
  build: string;
  /** False where there are so many columns that each would be one. */
  isTabStop?: boolean;
  /** What stands for the combination in a header without room for words; absent = words. */
  children?: ReactNode;
}): ReactNode {
  const { pick } = route.useSearch();
  const navigate = route.useNavigate();
  const look = {
    className: children === undefined ? 'pick-hardware' : 'pick-hardware pick-bare',
    ...(isTabStop ? {} : { tabIndex: -1 }),
  };
  if (pick !== undefined && pick !== hash) {
    const what = `compare the chosen hardware with ${label}, on the same kernel`;
    return (
      <Link to="/compare/hardware" search={{ build, a: pick, b: hash }} {...look} title={what}>
        {children ?? 'compare with this'}
        {children !== undefined && <span className="unseen"> {what}</span>}
      </Link>
    );
  }
  const isPicked = pick === hash;
  return (
    <button
      type="button"
      {...look}
      aria-pressed={isPicked}
      title={`${label}\n${isPicked ? 'chosen: now choose another combination' : 'choose this hardware, to compare it with another on the same kernel'}`}
      onClick={() =>
        void navigate({
          search: (before) => ({ ...before, pick: isPicked ? undefined : hash }),
          replace: true,
          resetScroll: false,
        })
      }
    >
      {children ?? (isPicked ? '⇄ chosen' : '⇄ compare')}
      <span className="unseen"> compare hardware {label}</span>
    </button>
  );
}

/** Says what to do after the first choice; nothing before it. */
export function PickedHardware({ combinations }: { combinations: readonly Combination[] }): ReactNode {
  const { pick } = route.useSearch();
  const navigate = route.useNavigate();
  if (pick === undefined) return null;
  const label = combinations.find(({ hash }) => hash === pick)?.label;
  return (
    <p className="notice notice-quiet" role="status">
      {label === undefined ? 'The chosen hardware is not in this grid.' : `${label} is chosen.`} Choose another
      combination in the header to compare both on the same kernel.{' '}
      <button
        type="button"
        className="quiet"
        onClick={() =>
          void navigate({ search: (before) => ({ ...before, pick: undefined }), replace: true, resetScroll: false })
        }
      >
        Clear
      </button>
    </p>
  );
}
