import { Link, useLocation } from '@tanstack/react-router';
import { useState, type ReactNode } from 'react';

const LINKS = [
  { to: '/', label: 'Grid' },
  { to: '/runs', label: 'Runs' },
  { to: '/compare', label: 'Compare' },
  { to: '/trends', label: 'Trends' },
  { to: '/machines', label: 'Machines' },
  { to: '/builds', label: 'Builds' },
  { to: '/crashes', label: 'Crashes' },
  { to: '/submit', label: 'Submit' },
  { to: '/admin', label: 'Admin' },
] as const;

/** The links to the pages: a row in the header, and on a phone a list behind a button that names the open page. */
export function PageLinks(): ReactNode {
  const path = useLocation({ select: ({ pathname }) => pathname });
  // The path at which the list was opened: choosing a page closes it.
  const [openAt, setOpenAt] = useState<string | null>(null);
  const isOpen = openAt === path;
  const current = LINKS.find(({ to }) => (to === '/' ? path === '/' : path === to || path.startsWith(`${to}/`)));
  return (
    <>
      <button
        type="button"
        className="quiet nav-toggle"
        aria-expanded={isOpen}
        aria-controls="page-links"
        onClick={() => setOpenAt(isOpen ? null : path)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') setOpenAt(null);
        }}
      >
        <span aria-hidden="true">☰</span> {current?.label ?? 'Pages'}
      </button>
      <nav id="page-links" aria-label="Pages" className={isOpen ? 'nav-open' : undefined}>
        {LINKS.map(({ to, label }) => (
          <Link
            key={to}
            to={to}
            activeOptions={{ exact: to === '/', includeSearch: false }}
            onClick={() => setOpenAt(null)}
          >
            {label}
          </Link>
        ))}
      </nav>
    </>
  );
}
