import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { AttemptDetail, SeenCrash } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { attemptCrashesQuery } from '../api/crashes.js';
import { ListTable } from '../ui/ListTable.js';
import { countOf, linesText } from '../ui/numbers.js';
import { QuerySection } from '../ui/section.js';
import { CallSources } from './CallSources.js';
import { CrashMail } from './CrashMail.js';
import { CrashMark } from './CrashMark.js';

/** What the kernel reported in the logs of an attempt; nothing where it reported nothing. */
export function AttemptCrashes({
  attempt,
}: {
  attempt: Pick<AttemptDetail, 'id' | 'state' | 'participants'>;
}): ReactNode {
  const isEnded = attempt.state === 'ended';
  const query = useQuery(attemptCrashesQuery(attempt.id, isEnded));
  const { data } = query;
  if (data !== undefined && data.crashes.length === 0 && (!data.pending || !isEnded)) return null;
  return (
    <section aria-labelledby="crashes-head">
      <h2 id="crashes-head">Reported by the kernel</h2>
      <QuerySection query={query} what="the crashes">
        {({ crashes, pending }) => (
          <>
            {pending && isEnded && <p className="muted">The logs are still being searched.</p>}
            <CrashTable attempt={attempt.id} crashes={crashes} hasRoles={attempt.participants.length > 1} />
          </>
        )}
      </QuerySection>
    </section>
  );
}

function CrashTable({
  attempt,
  crashes,
  hasRoles,
}: {
  attempt: string;
  crashes: readonly SeenCrash[];
  hasRoles: boolean;
}): ReactNode {
  return (
    <ListTable
      rows={crashes}
      keyOf={({ role, key }) => `${role} ${key}`}
      columns={[
        { name: 'Kind', render: (crash) => <CrashMark crash={crash} /> },
        {
          name: 'Report',
          render: ({ key, title, role, frames, taint, sources, buildId, git, patches }) => (
            <>
              <Link to="/crashes/$crash" params={{ crash: key }} className="strong" data-row>
                {title}
              </Link>
              {hasRoles && <span className="muted"> on {role}</span>}
              {frames.length > 0 && (
                <details>
                  <summary>
                    {countOf(frames.length, 'frame')}
                    {taint !== null && taint !== '' && `, kernel tainted ${taint}`}
                  </summary>
                  <code className="crash-frames">{frames.join('\n')}</code>
                </details>
              )}
              <CallSources sources={sources} build={buildId} git={git} patches={patches} />
              <CrashMail attempt={attempt} crash={key} role={role} />
            </>
          ),
        },
        {
          name: 'During',
          render: ({ suite, test }) =>
            suite === null ? <span className="muted">no test known</span> : `${suite}/${test ?? ''}`,
        },
        {
          name: 'Lines',
          render: ({ stream, startLine, endLine, times }) => (
            <>
              <Link
                to="/attempts/$attempt"
                params={{ attempt }}
                search={{ view: 'log', stream, line: startLine + 1, to: endLine + 1 }}
              >
                {stream} {linesText(startLine, endLine)}
              </Link>
              {times > 1 && <span className="muted"> and {countOf(times - 1, 'more report')}</span>}
            </>
          ),
        },
        {
          name: 'Before',
          render: ({ earlier }) =>
            earlier === 0 ? <span className="chip chip-warn">new</span> : countOf(earlier, 'attempt'),
        },
      ]}
    />
  );
}
