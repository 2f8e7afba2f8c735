import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { TerminalRecord } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { useIdentity } from '../api/identity.js';
import { terminalsQuery } from '../api/reservations.js';
import { ListTable } from '../ui/ListTable.js';
import { bytesText } from '../ui/numbers.js';
import { QuerySection } from '../ui/section.js';
import { Ago, Elapsed } from '../ui/time.js';
import { StateBadge } from '../ui/verdict.js';

/** Ways to a terminal of the machine; who may have which, its page says. */
export function TerminalLinks({ machine }: { machine: string }): ReactNode {
  return (
    <span className="row">
      <Link
        to="/machines/$machine/console"
        params={{ machine }}
        className="button"
        title="What its serial console prints."
      >
        Console
      </Link>
      <Link to="/machines/$machine/shell" params={{ machine }} className="button" title="For who has it reserved.">
        Shell
      </Link>
    </span>
  );
}

/** Who had a terminal of the machine, and what it printed. Only people with a token may know; others see nothing of it. */
export function MachineTerminals({ machine }: { machine: string }): ReactNode {
  const { token } = useIdentity();
  return token === null ? null : <Terminals machine={machine} />;
}

function Terminals({ machine }: { machine: string }): ReactNode {
  const query = useQuery(terminalsQuery(machine));
  return (
    <section aria-labelledby="terminals-head">
      <h2 id="terminals-head">Recorded terminals</h2>
      <QuerySection query={query} what="the terminals of the machine">
        {(records) => (
          <ListTable
            rows={records}
            keyOf={({ id }) => id}
            empty={<p className="muted">Nobody had a shell or the console yet.</p>}
            columns={[
              {
                name: 'Terminal',
                render: ({ id, kind }) => (
                  <Link to="/machines/$machine/terminals/$terminal" params={{ machine, terminal: id }} data-row>
                    {kind}
                  </Link>
                ),
              },
              { name: 'User', render: ({ by }) => by },
              { name: 'Opened', render: ({ openedAt }) => <Ago at={openedAt} /> },
              {
                name: 'For',
                className: 'number',
                render: ({ openedAt, closedAt }) => <Elapsed from={openedAt} to={closedAt} />,
              },
              { name: 'Kept', className: 'number', render: (record) => keptText(record) },
              { name: 'Ended', className: 'reason', render: (record) => <End record={record} /> },
            ]}
          />
        )}
      </QuerySection>
    </section>
  );
}

/** The same of one, as a line. */
export function RecordFacts({ record }: { record: TerminalRecord }): ReactNode {
  const { kind, by, openedAt, closedAt } = record;
  return (
    <dl className="facts-row">
      <div>
        <dt>Terminal</dt>
        <dd>{kind}</dd>
      </div>
      <div>
        <dt>User</dt>
        <dd>{by}</dd>
      </div>
      <div>
        <dt>Opened</dt>
        <dd>
          <Ago at={openedAt} />, for <Elapsed from={openedAt} to={closedAt} />
        </dd>
      </div>
      <div>
        <dt>Kept</dt>
        <dd>{keptText(record)}</dd>
      </div>
      <div>
        <dt>Ended</dt>
        <dd>
          <End record={record} />
        </dd>
      </div>
    </dl>
  );
}

function End({ record: { closedAt, why } }: { record: TerminalRecord }): ReactNode {
  return closedAt === null ? <StateBadge state="open" /> : (why ?? 'it was closed');
}

const keptText = ({ keptBytes, removedBytes }: TerminalRecord): string =>
  removedBytes === 0 ? bytesText(keptBytes) : `last ${bytesText(keptBytes)} of ${bytesText(keptBytes + removedBytes)}`;
