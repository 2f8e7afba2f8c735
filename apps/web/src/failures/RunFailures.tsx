import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { isKnownNow, type RunFailure } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { useTopics } from '../api/live-context.js';
import { runFailuresQuery } from '../api/failures.js';
import { ListTable } from '../ui/ListTable.js';
import { countOf } from '../ui/numbers.js';
import { QuerySection } from '../ui/section.js';
import { Ago, useNow } from '../ui/time.js';
import { VerdictMark } from '../ui/verdict.js';
import { failedText } from './failed-text.js';
import { foldFailures } from './fold.js';
import { KnownMark } from './KnownMark.js';

/** The failures of a run, equal ones folded: which are new, which were seen before, which people know. */
export function RunFailures({ run }: { run: string }): ReactNode {
  useTopics('grid');
  const query = useQuery(runFailuresQuery(run));
  const now = useNow();
  if (query.data !== undefined && query.data.total === 0) return null;
  return (
    <section aria-labelledby="failures-head">
      <h2 id="failures-head">Were these failures seen before?</h2>
      <QuerySection query={query} what="the failures of the run">
        {({ failures, total }) => {
          const folded = foldFailures(failures);
          const known = folded.filter((each) => isKnownNow(each.known, now)).length;
          const fresh = folded.filter(({ earlier }) => earlier === 0).length;
          return (
            <>
              <p className="list-lead">
                {countOf(folded.length, 'different failure')}: {fresh} new, {folded.length - fresh} seen before, {known}{' '}
                marked as known.
                {total > failures.length && ` Only the first ${failures.length} of ${total} are listed.`}
              </p>
              <FailureTable failures={folded} />
            </>
          );
        }}
      </QuerySection>
    </section>
  );
}

function FailureTable({ failures }: { failures: readonly (RunFailure & { count: number })[] }): ReactNode {
  return (
    <ListTable
      rows={failures}
      keyOf={(failure) => `${failure.key} ${failedText(failure)}`}
      columns={[
        { name: 'Verdict', render: ({ verdict }) => <VerdictMark verdict={verdict} long /> },
        {
          name: 'What failed',
          render: (failure) => (
            <>
              <span>
                {failure.suite !== null && <span className="muted">{failure.suite}/</span>}
                <Link to="/attempts/$attempt" params={{ attempt: failure.attemptId }}>
                  {failure.test ?? failedText(failure)}
                </Link>
                {failure.failure !== null && <span className="muted"> {failure.failure.class}</span>}
              </span>
              {failure.what !== null && <div className="reason">{failure.what}</div>}
            </>
          ),
        },
        { name: 'Here', className: 'number', render: ({ count }) => `${count} ×` },
        { name: 'Before', render: (failure) => <SeenBefore failure={failure} /> },
        { name: 'Known', render: ({ known }) => <KnownMark known={known} /> },
      ]}
    />
  );
}

/** How often a failure was seen before its run, and since when. */
export function SeenBefore({ failure }: { failure: Pick<RunFailure, 'earlier' | 'firstAt'> }): ReactNode {
  if (failure.earlier === 0) return <span className="chip chip-warn">new</span>;
  return (
    <span>
      {countOf(failure.earlier, 'time')}, first <Ago at={failure.firstAt} />
    </span>
  );
}
