import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { DeliveryOutcome, DeliveryView } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { deliveriesQuery } from '../api/queries.js';
import { useListKeys } from '../ui/list-keys.js';
import { ListTable } from '../ui/ListTable.js';
import { Empty, QuerySection } from '../ui/section.js';
import { Ago } from '../ui/time.js';

const OUTCOMES: Record<DeliveryOutcome, { icon: string; tone: string; help: string }> = {
  started: { icon: '▶', tone: 'good', help: 'the delivery started a run' },
  ignored: { icon: '–', tone: 'quiet', help: 'the delivery matched no template or event' },
  refused: { icon: '✗', tone: 'bad', help: 'the delivery could not be processed; the sender may repeat it' },
};

/** The deliveries of webhooks and their outcome. */
export function DeliveriesPanel(): ReactNode {
  useListKeys();
  const query = useInfiniteQuery(deliveriesQuery());
  return (
    <section aria-labelledby="deliveries-head">
      <h2 id="deliveries-head">Webhook deliveries</h2>
      <p className="muted">
        Only deliveries with a valid signature are recorded. Those that started no run are kept for 90 days.
      </p>
      <QuerySection query={query} what="the deliveries">
        {({ pages }) => {
          const deliveries = pages.flatMap((page) => page.deliveries);
          if (deliveries.length === 0) {
            return (
              <Empty title="No webhook delivery yet.">
                <p>
                  Add a hook to the controller’s hooks file, and give the sender the secret of that hook and the address{' '}
                  <code>/api/v1/hooks/NAME</code>.
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
    <ListTable
      rows={deliveries}
      keyOf={({ source, deliveryId }) => `${source} ${deliveryId}`}
      columns={[
        {
          name: 'Outcome',
          render: ({ outcome }) => (
            <span className={`badge tone-${OUTCOMES[outcome].tone}`} title={OUTCOMES[outcome].help}>
              <span aria-hidden="true">{OUTCOMES[outcome].icon}</span> {outcome}
            </span>
          ),
        },
        { name: 'Source', render: ({ source }) => source },
        {
          name: 'Run',
          head: 'Run, or the reason without one',
          render: ({ outcome, detail, run }) => (
            <>
              {run !== null && (
                <Link to="/runs/$run" params={{ run: run.id }} className="strong" data-row>
                  {run.name}
                </Link>
              )}
              {run === null && outcome === 'started' && <span className="muted">a run that retention removed</span>}
              <div className="reason muted">{detail}</div>
            </>
          ),
        },
        { name: 'Delivery id', render: ({ deliveryId }) => <code className="delivery-id">{deliveryId}</code> },
        { name: 'Received', render: ({ receivedAt }) => <Ago at={receivedAt} /> },
      ]}
    />
  );
}
