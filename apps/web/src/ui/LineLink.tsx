import type { ReactNode } from 'react';

/** A line of the source, as a link where there is a page of it. The page is not told where its reader comes from. */
export function LineLink({ url, children }: { url: string | null; children: ReactNode }): ReactNode {
  if (url === null) return children;
  return (
    <a href={url} rel="noreferrer" target="_blank" title={url}>
      {children}
    </a>
  );
}
