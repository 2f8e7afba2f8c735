import { Link, type ErrorComponentProps } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { Empty, ErrorNotice, useTitle } from '../ui/section.js';

/** Shown for an unknown address. */
export function NotFoundPage(): ReactNode {
  useTitle('Not found');
  return (
    <>
      <h1 className="page-head">Not found</h1>
      <Empty title="There is no page at this address.">
        <p>
          Back to the <Link to="/">grid</Link>, the <Link to="/runs">runs</Link> or the{' '}
          <Link to="/machines">machines</Link>.
        </p>
      </Empty>
    </>
  );
}

/** Shown when a page threw while rendering, or its code could not be fetched. */
export function PageError({ error, reset }: ErrorComponentProps): ReactNode {
  return (
    <>
      <h1>This page failed</h1>
      <ErrorNotice error={error instanceof Error ? error : new Error(String(error))} retry={reset} />
    </>
  );
}
