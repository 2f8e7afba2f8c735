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
}: {
  combination: Combination;
  /** A build of the kernel that is compared, as this combination has it. */
  build: string;
}): ReactNode {
  const { pick } = route.useSearch();
  const navigate = route.useNavigate();
  if (pick !== undefined && pick !== hash) {
    return (
      <Link
        to="/compare/hardware"
        search={{ build, a: pick, b: hash }}
        className="pick-hardware"
        title={`compare the chosen hardware with ${label}, on the same kernel`}
      >
        compare with this
      </Link>
    );
  }
  return (
    <button
      type="button"
      className="pick-hardware"
      aria-pressed={pick === hash}
      title={
        pick === hash
          ? 'chosen: now choose another combination'
          : 'choose this hardware, to compare it with another on the same kernel'
      }
      onClick={() =>
        void navigate({
          search: (before) => ({ ...before, pick: pick === hash ? undefined : hash }),
          replace: true,
          resetScroll: false,
        })
      }
    >
      <span aria-hidden="true">⇄</span> {pick === hash ? 'chosen' : 'compare'}
      <span className="unseen"> hardware {label}</span>
    </button>
  );
}
