import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

/** The ways to compare: builds on the same hardware, hardware on the same kernel, and machines with the same hardware. */
export function CompareModes({
  on,
  build,
}: {
  on: 'builds' | 'hardware' | 'machines';
  build?: string | undefined;
}): ReactNode {
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
      <Link
        to="/compare/machines"
        search={build === undefined ? {} : { build }}
        aria-current={on === 'machines' ? 'page' : undefined}
        className="chip"
      >
        machines
      </Link>
    </nav>
  );
}
