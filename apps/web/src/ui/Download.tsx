import type { FileRoute } from '@peerlab/client';
import { requestOf, ROUTES, type CallOf } from '@peerlab/contracts';
import { useState, type MouseEvent, type ReactNode } from 'react';
import { fetchFile } from '../api/client.js';
import { getToken } from '../api/token.js';

/**
 * A link to a file of the API. The browser would follow it without the token, which a farm may require: when there is a
 * token, or the route always needs one, the page fetches the file itself and passes it to the browser to save.
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
    fetchFile(route, call).then(
      (content) => saveAs(content, fileName),
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

function saveAs(content: Blob, fileName: string): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = url;
  link.download = fileName;
  link.click();
  // By then the browser has begun to read the file.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
