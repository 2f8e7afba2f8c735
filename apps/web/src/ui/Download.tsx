import type { FileRoute } from '@peerlab/client';
import type { CallOf, Route, Routes } from '@peerlab/contracts';
import { useState, type MouseEvent, type ReactNode } from 'react';
import type { Api } from '../api/client.js';
import { tokenApi } from '../api/tokens.js';
import { getToken } from '../api/token.js';

/**
 * A link to a file of the API. The browser saves what comes by itself, so that a file of any size fits; but it would tell
 * nobody why the controller refuses one, so the page asks first. It also follows a link without the token, which a farm may
 * require: with a token, or where the route always needs one, the page gets a ticket for this download.
 */
export function Download<T extends Partial<Routes>, N extends FileRoute & keyof T>({
  api,
  route,
  call,
  fileName,
  className,
  children,
}: {
  api: Api<T>;
  route: N;
  call: CallOf<N>;
  fileName: string;
  className: string;
  children: ReactNode;
}): ReactNode {
  const [problem, setProblem] = useState<string | null>(null);
  const follow = (event: MouseEvent): void => {
    event.preventDefault();
    setProblem(null);
    addressOf(api, route, call).then(
      (address) => save(address, fileName),
      (error: unknown) => setProblem(error instanceof Error ? error.message : String(error)),
    );
  };
  return (
    <>
      <a className={className} href={api.pathOf(route, call)} download={fileName} onClick={follow}>
        {children}
      </a>
      {problem !== null && (
        <span role="alert" className="tone-bad">
          {' '}
          Not saved: {problem}
        </span>
      )}
    </>
  );
}

/** Where the browser gets the file. Rejects when the controller refuses it. */
async function addressOf<T extends Partial<Routes>, N extends FileRoute & keyof T>(
  api: Api<T>,
  route: N,
  call: CallOf<N>,
): Promise<string> {
  await api.checkFile(route, call);
  const path = api.pathOf(route, call);
  const { access } = api.routes[route] as Route;
  if (getToken() === null && access === 'read') return path;
  const { ticket } = await tokenApi.call('createTicket', { body: { path } });
  return `${path}${path.includes('?') ? '&' : '?'}ticket=${ticket}`;
}

function save(url: string, fileName: string): void {
  const link = document.createElement('a');
  link.href = url;
  link.download = fileName;
  link.click();
}
