import { ApiError } from '@peerlab/client';
import type { UseQueryResult } from '@tanstack/react-query';
import { useEffect, type ReactNode } from 'react';

/** What to do about an error that the page itself found, by the code of its problem. */
const REMEDIES: Readonly<Record<string, string>> = {
  unreachable: 'It may be restarting; this page tries again by itself.',
  timeout: 'It may be overloaded; this page tries again by itself.',
  contract: 'Reload the page to get the version that belongs to the controller.',
};

/** What went wrong, what to do, the id to quote, and a way to try again. */
export function ErrorNotice({ error, retry }: { error: Error; retry?: (() => void) | undefined }): ReactNode {
  const problem = error instanceof ApiError ? error.problem : null;
  const detail = problem === null ? error.message : problem.detail;
  const remedy = problem === null ? undefined : REMEDIES[problem.code];
  return (
    <div className="notice notice-bad" role="alert">
      <p>
        <strong>{problem?.title ?? 'This part of the page failed'}</strong>
      </p>
      {detail !== undefined && <p>{detail}</p>}
      {remedy !== undefined && <p>{remedy}</p>}
      {problem !== null && problem.errors.length > 0 && (
        <ul>
          {problem.errors.map((item, index) => (
            <li key={index}>
              {item.path !== '' && <code>{item.path}</code>} {item.message}
              {item.remedy !== undefined && `: ${item.remedy}`}
            </li>
          ))}
        </ul>
      )}
      <p className="notice-foot">
        {retry !== undefined && (
          <button type="button" onClick={retry}>
            Try again
          </button>
        )}
        {problem !== null && problem.correlationId !== '' && (
          <span className="muted">
            correlation id <code>{problem.correlationId}</code>
          </span>
        )}
      </p>
    </div>
  );
}

/** Grey bars in place of content that is loading. */
export function Loading({ what }: { what: string }): ReactNode {
  return (
    <div className="loading" role="status">
      <span className="unseen">loading {what}</span>
      <i />
      <i />
      <i />
    </div>
  );
}

/** Nothing here yet, and what to do next. */
export function Empty({ title, children }: { title: string; children?: ReactNode }): ReactNode {
  return (
    <div className="empty">
      <p>
        <strong>{title}</strong>
      </p>
      {children}
    </div>
  );
}

/**
 * Shows a query's data, its loading state, or its error with a retry button. When a refetch fails, the old data stays
 * below the error.
 */
export function QuerySection<T>({
  query,
  what,
  heading,
  children,
}: {
  query: Pick<UseQueryResult<T>, 'data' | 'error' | 'refetch'>;
  what: string;
  /** Heading shown while a page loads whose own heading needs the data. */
  heading?: string;
  children: (data: T) => ReactNode;
}): ReactNode {
  const { data, error, refetch } = query;
  const retry = (): void => void refetch();
  if (data === undefined) {
    return (
      <>
        {heading !== undefined && <h1 className="page-head">{heading}</h1>}
        {error === null ? <Loading what={what} /> : <ErrorNotice error={error} retry={retry} />}
      </>
    );
  }
  return (
    <>
      {error !== null && <ErrorNotice error={error} retry={retry} />}
      {children(data)}
    </>
  );
}

/** Sets the document's title: the most specific part first. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Peerlab`;
  }, [title]);
}

/** Message of a failed write, shown where the write was requested. */
export function WriteError({ error }: { error: Error | null }): ReactNode {
  if (error === null) return null;
  if (error instanceof ApiError && error.problem.status === 401) {
    return <p className="notice notice-warn">Not done: this needs a token. Repeat it to enter one.</p>;
  }
  return <ErrorNotice error={error} />;
}
