import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

/** The two ways to compare: builds on the same hardware, and hardware on the same kernel. */
export function CompareModes({ on, build }: { on: 'builds' | 'hardware'; build?: string | undefined }): ReactNode {
  return (
    <nav className="row tight compare-modes" aria-label="What is compared">
      <Link
        to="/compare"
        aria-current={on === 'builds' ? 'page' : undefined}
        className="chip"
        activeOptions={{ exact: true }}
      >
        builds
      </Link>
      <Link
        to="/compare/hardware"
        search={build === undefined ? {} : { build }}
        aria-current={on === 'hardware' ? 'page' : undefined}
        className="chip"
      >
        hardware
      </Link>
    </nav>
  );
}
