import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { lazy, Suspense, type ReactNode } from 'react';
import { reservationApi, terminalsQuery } from '../api/reservations.js';
import { RecordFacts } from '../fleet/MachineTerminals.js';
import { whenThere } from '../lazy-page.js';
import { Download } from '../ui/Download.js';
import { Empty, Loading, QuerySection, useTitle } from '../ui/section.js';

const RecordView = lazy(whenThere(async () => ({ default: (await import('../terminal/RecordView.js')).RecordView })));
const route = getRouteApi('/machines/$machine/terminals/$terminal');

/** What is kept of what a terminal of a machine printed. */
export function TerminalRecordPage(): ReactNode {
  const { machine, terminal: id } = route.useParams();
  const title = `Recorded terminal of ${machine}`;
  useTitle(title);
  const query = useQuery(terminalsQuery(machine));
  return (
    <div className="terminal-page">
      <p className="crumbs">
        <Link to="/machines">Machines</Link> /{' '}
        <Link to="/machines/$machine" params={{ machine }}>
          {machine}
        </Link>
      </p>
      <h1>{title}</h1>
      <QuerySection query={query} what="the terminals of the machine">
        {(records) => {
          const record = records.find((each) => each.id === id);
          if (record === undefined) {
            return (
              <Empty title="This terminal is not kept any more.">
                <p>Of each machine the newest ones stay; they stand on the page of the machine.</p>
              </Empty>
            );
          }
          const name = `terminal-${machine}-${id.slice(0, 8)}.log`;
          return (
            <>
              <RecordFacts record={record} />
              <Suspense fallback={<Loading what="the terminal" />}>
                <RecordView key={`${id} ${record.keptBytes} ${record.removedBytes}`} record={record}>
                  <Download
                    api={reservationApi}
                    route="getTerminalOutput"
                    call={{ params: { terminal: id } }}
                    fileName={name}
                    className="button"
                  >
                    Download
                  </Download>
                </RecordView>
              </Suspense>
            </>
          );
        }}
      </QuerySection>
    </div>
  );
}
