import { Link } from '@tanstack/react-router';
import type { AttemptDetail } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { ListTable } from '../ui/ListTable.js';

const PHASE = {
  'default-before': 'default kernel, before',
  candidate: 'kernel under test',
  'default-after': 'default kernel, after',
} as const;

/** The kernels that the machine ran, and whether that is proven. */
export function KernelTable({ attempt: { participants, build, buildId } }: { attempt: AttemptDetail }): ReactNode {
  const kernels = participants.flatMap((participant) =>
    participant.kernels.map((kernel) => ({
      ...kernel,
      role: participant.role,
      tested: participant.build ?? { id: buildId, name: build },
    })),
  );
  if (kernels.length === 0) return null;
  return (
    <section aria-labelledby="kernels-head">
      <h2 id="kernels-head">Kernels seen on the machine</h2>
      <ListTable
        rows={kernels}
        keyOf={(_, index) => index}
        columns={[
          ...(participants.length > 1
            ? [{ name: 'Machine', render: ({ role }: (typeof kernels)[number]) => role }]
            : []),
          {
            name: 'When',
            render: (kernel) => (
              <span>
                {PHASE[kernel.phase]}
                {kernel.phase === 'candidate' && (
                  <>
                    :{' '}
                    <Link to="/builds/$build" params={{ build: kernel.tested.id }}>
                      {kernel.tested.name}
                    </Link>
                  </>
                )}
              </span>
            ),
          },
          {
            name: 'Proven',
            render: (kernel) => (
              <>
                <span className={`badge tone-${kernel.proven ? 'good' : 'bad'}`}>
                  <span aria-hidden="true">{kernel.proven ? '✓' : '✗'}</span> {kernel.proven ? 'proven' : 'not proven'}
                </span>
                {kernel.detail !== null && <div className="muted">{kernel.detail}</div>}
              </>
            ),
          },
          {
            name: 'Release',
            render: (kernel) => (
              <>
                <code>{kernel.release}</code>
                {kernel.commandLine !== null && (
                  <details>
                    <summary>command line</summary>
                    <code>{kernel.commandLine}</code>
                  </details>
                )}
              </>
            ),
          },
          { name: 'Build-id', render: (kernel) => <code className="id">{kernel.buildId}</code> },
          { name: 'Boot id', render: (kernel) => <code className="id">{kernel.bootId}</code> },
          {
            name: 'Nonce',
            render: (kernel) =>
              kernel.nonce === null ? <span className="muted">none</span> : <code className="id">{kernel.nonce}</code>,
          },
        ]}
      />
    </section>
  );
}
