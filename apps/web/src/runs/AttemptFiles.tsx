import { useQuery } from '@tanstack/react-query';
import type { AttemptDetail } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { attemptApi } from '../api/attempts.js';
import { buildQuery } from '../api/builds.js';
import { logFiles } from '../builds/files.js';
import { KernelFiles } from '../builds/KernelFiles.js';
import { Download } from '../ui/Download.js';
import { ListTable } from '../ui/ListTable.js';
import { bytesText, countText } from '../ui/numbers.js';
import { QuerySection } from '../ui/section.js';
import { Ago } from '../ui/time.js';

/** Everything of an attempt that can be downloaded: its logs, and the files of the kernel that it builds or tests. */
export function AttemptFiles({
  attempt,
  streams,
  role,
}: {
  attempt: AttemptDetail;
  /** Of the machine with this role, where there are several. */
  streams: AttemptDetail['streams'];
  role: string | undefined;
}): ReactNode {
  const query = useQuery(buildQuery(attempt.buildId));
  return (
    <>
      <LogFiles attempt={attempt} streams={streams} role={role} />
      {attempt.files.length > 0 && <LeftFiles attempt={attempt} />}
      <QuerySection query={query} what="the files of the kernel">
        {(build) =>
          build.manifest === null ? (
            <section aria-labelledby="kernel-files-head">
              <h2 id="kernel-files-head">Files of the kernel</h2>
              <p className="muted">There are none: the kernel is not built.</p>
            </section>
          ) : (
            <KernelFiles build={build} manifest={build.manifest} />
          )
        }
      </QuerySection>
    </>
  );
}

/** What the suites left in their $PEERLAB_ARTIFACTS. */
function LeftFiles({ attempt }: { attempt: AttemptDetail }): ReactNode {
  return (
    <section aria-labelledby="left-files-head">
      <h2 id="left-files-head">Files of suites</h2>
      <ListTable
        className="file-list"
        rows={attempt.files}
        keyOf={({ suite, name }) => `${suite}/${name}`}
        empty={null}
        columns={[
          {
            name: 'File',
            className: 'strong',
            render: ({ suite, name }) => (
              <Download
                className="file-link"
                api={attemptApi}
                route="getAttemptFile"
                call={{ params: { attempt: attempt.id }, query: { suite, name } }}
                fileName={name}
              >
                <code>{name}</code>
              </Download>
            ),
          },
          { name: 'Suite', render: ({ suite }) => suite },
          { name: 'Size', className: 'number', render: ({ sizeBytes }) => bytesText(sizeBytes) },
        ]}
      />
    </section>
  );
}

function LogFiles({
  attempt,
  streams,
  role,
}: {
  attempt: AttemptDetail;
  streams: AttemptDetail['streams'];
  role: string | undefined;
}): ReactNode {
  return (
    <section aria-labelledby="log-files-head">
      <h2 id="log-files-head">Logs</h2>
      <ListTable
        className="file-list"
        rows={logFiles(streams)}
        keyOf={({ stream }) => stream}
        empty={<p className="muted">{attempt.state === 'ended' ? 'It has no logs.' : 'It has no logs yet.'}</p>}
        columns={[
          {
            name: 'File',
            className: 'strong',
            render: ({ stream, removedAt }) =>
              removedAt !== null ? (
                <code>{stream}.log</code>
              ) : (
                <Download
                  className="file-link"
                  api={attemptApi}
                  route="getRawLog"
                  call={{ params: { attempt: attempt.id, stream }, query: { role } }}
                  fileName={role === undefined ? `${stream}.log` : `${role}-${stream}.log`}
                >
                  <code>{stream}.log</code>
                </Download>
              ),
          },
          { name: 'Content', render: ({ what }) => what },
          { name: 'Lines', className: 'number', render: ({ lines }) => countText(lines) },
          {
            name: 'Size',
            className: 'number',
            render: ({ sizeBytes, removedAt }) =>
              removedAt === null ? (
                `about ${bytesText(sizeBytes)}`
              ) : (
                <span className="muted">
                  removed by retention <Ago at={removedAt} />
                </span>
              ),
          },
        ]}
      />
    </section>
  );
}
