import type { FileRoute } from '@peerlab/client';
import { requestOf, ROUTES, type CallOf } from '@peerlab/contracts';
import { useState, type MouseEvent, type ReactNode } from 'react';
import { call as send } from '../api/client.js';
import { getToken } from '../api/token.js';

/**
 * A link to a file of the API. The browser would follow it without the token, which a farm may require: when there is a
 * token, or the route always needs one, the page gets a ticket for this download first. The browser saves what comes by
 * itself, so that a file of any size fits.
 */
export function Download<N extends FileRoute>({
  route,
  call,
  fileName,
  className,
  children,
}: {
  route: N;
  call: CallOf<N>;
  fileName: string;
  className: string;
  children: ReactNode;
}): ReactNode {
  const [problem, setProblem] = useState<string | null>(null);
  const follow = (event: MouseEvent): void => {
    if (getToken() === null && ROUTES[route].access === 'read') return;
    event.preventDefault();
    setProblem(null);
    const { path } = requestOf(route, call);
    send('createTicket', { body: { path } }).then(
      ({ ticket }) => save(`${path}${path.includes('?') ? '&' : '?'}ticket=${ticket}`, fileName),
      (error: unknown) => setProblem(error instanceof Error ? error.message : String(error)),
    );
  };
  return (
    <>
      <a className={className} href={requestOf(route, call).path} download={fileName} onClick={follow}>
        {children}
      </a>
      {problem !== null && <span role="alert">{problem}</span>}
    </>
  );
}

function save(url: string, fileName: string): void {
  const link = document.createElement('a');
  link.href = url;
  link.download = fileName;
  link.click();
}
