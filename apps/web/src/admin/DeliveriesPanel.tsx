import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { DeliveryOutcome, DeliveryView } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { deliveriesQuery } from '../api/queries.js';
import { useListKeys } from '../ui/list-keys.js';
import { Empty, QuerySection } from '../ui/section.js';
import { Ago } from '../ui/time.js';

const OUTCOMES: Record<DeliveryOutcome, { icon: string; tone: string; help: string }> = {
  started: { icon: '▶', tone: 'good', help: 'it started a run' },
  ignored: { icon: '–', tone: 'quiet', help: 'there was nothing to do for it' },
  refused: { icon: '✗', tone: 'bad', help: 'it could not be acted upon, and may be sent again' },
};

/** What webhooks delivered and what became of it. */
export function DeliveriesPanel(): ReactNode {
  useListKeys();
  const query = useInfiniteQuery(deliveriesQuery());
  return (
    <section aria-labelledby="deliveries-head">
      <h2 id="deliveries-head">Webhook deliveries</h2>
      <p className="muted">
        Only deliveries with a right signature are recorded. Those that started nothing are kept for 90 days.
      </p>
      <QuerySection query={query} what="the deliveries">
        {({ pages }) => {
          const deliveries = pages.flatMap((page) => page.deliveries);
          if (deliveries.length === 0) {
            return (
              <Empty title="No webhook has delivered anything yet.">
                <p>
                  Give the sender the farm’s secret and the address <code>/api/v1/hooks/generic</code> or{' '}
                  <code>/api/v1/hooks/github?template=NAME</code>.
                </p>
              </Empty>
            );
          }
          return (
            <>
              <DeliveryTable deliveries={deliveries} />
              {query.hasNextPage && (
                <p className="more">
                  <button type="button" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                    Load older deliveries
                  </button>
                </p>
              )}
            </>
          );
        }}
      </QuerySection>
    </section>
  );
}

function DeliveryTable({ deliveries }: { deliveries: readonly DeliveryView[] }): ReactNode {
  return (
    <table className="list">
      <thead>
        <tr>
          <th scope="col">Outcome</th>
          <th scope="col">Source</th>
          <th scope="col">Run, or why there is none</th>
          <th scope="col">Delivery id</th>
          <th scope="col">Received</th>
        </tr>
      </thead>
      <tbody>
        {deliveries.map(({ source, deliveryId, receivedAt, outcome, detail, run }) => (
          <tr key={`${source} ${deliveryId}`}>
            <td data-label="Outcome">
              <span className={`badge tone-${OUTCOMES[outcome].tone}`} title={OUTCOMES[outcome].help}>
                <span aria-hidden="true">{OUTCOMES[outcome].icon}</span> {outcome}
              </span>
            </td>
            <td data-label="Source">{source}</td>
            <td data-label="Run">
              {run !== null && (
                <Link to="/runs/$run" params={{ run: run.id }} className="strong" data-row>
                  {run.name}
                </Link>
              )}
              {run === null && outcome === 'started' && <span className="muted">a run that retention removed</span>}
              <div className="reason muted">{detail}</div>
            </td>
            <td data-label="Delivery id">
              <code className="delivery-id">{deliveryId}</code>
            </td>
            <td data-label="Received">
              <Ago at={receivedAt} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
