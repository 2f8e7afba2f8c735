import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { DeliveryOutcome, DeliveryView } from '@peerlab/contracts';
import { useState, type ReactNode } from 'react';
import { deliveriesQuery, hookApi } from '../api/hooks.js';
import { useListKeys } from '../ui/list-keys.js';
import { ConfirmDialog } from '../ui/ConfirmDialog.js';
import { ListTable } from '../ui/ListTable.js';
import { Empty, QuerySection, WriteError } from '../ui/section.js';
import { Ago } from '../ui/time.js';

const OUTCOMES: Record<DeliveryOutcome, { icon: string; tone: string; help: string }> = {
  started: { icon: '▶', tone: 'good', help: 'the delivery started a run' },
  held: { icon: '?', tone: 'warn', help: 'the commit is of a fork and waits for approval' },
  ignored: { icon: '–', tone: 'quiet', help: 'the delivery matched no template or event' },
  refused: { icon: '✗', tone: 'bad', help: 'the delivery could not be processed; the sender may repeat it' },
};

/** The deliveries of webhooks and their outcome; those of forks are approved here. */
export function DeliveriesPanel(): ReactNode {
  useListKeys();
  const query = useInfiniteQuery(deliveriesQuery());
  return (
    <section aria-labelledby="deliveries-head">
      <h2 id="deliveries-head">Deliveries</h2>
      <p className="muted">
        Only deliveries of senders that know the hook’s secret are recorded. Those that started no run are kept for 90
        days.
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
  const queries = useQueryClient();
  const [asked, setAsked] = useState<DeliveryView | null>(null);
  const act = useMutation({
    mutationFn: ({ source, deliveryId, outcome }: DeliveryView) =>
      hookApi.call(outcome === 'held' ? 'approveDelivery' : 'repeatDelivery', { body: { source, deliveryId } }),
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: ['deliveries'] });
      void queries.invalidateQueries({ queryKey: ['reports'] });
    },
  });
  return (
    <>
      <WriteError error={act.error} />
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
          {
            name: 'Action',
            head: <span className="unseen">Action</span>,
            render: (delivery) =>
              delivery.isRepeatable && (
                <button
                  type="button"
                  className={delivery.outcome === 'held' ? 'primary' : undefined}
                  disabled={act.isPending}
                  aria-label={`${actionOf(delivery)} ${delivery.deliveryId}`}
                  onClick={() => setAsked(delivery)}
                >
                  {actionOf(delivery)}
                </button>
              ),
          },
        ]}
      />
      {asked !== null && (
        <ConfirmDialog
          title={asked.outcome === 'held' ? 'Run this commit of a fork?' : 'Act upon this delivery again?'}
          name={asked.commit?.slice(0, 12) ?? asked.deliveryId}
          action={asked.outcome === 'held' ? 'Run it' : 'Run it again'}
          onConfirm={() => act.mutate(asked)}
          onClose={() => setAsked(null)}
        >
          {asked.outcome === 'held' ? (
            <p>
              Its build runs in the sandbox, its kernel is root on the machines. Read the commit{' '}
              <code>{asked.commit}</code> of {asked.fork} first.
            </p>
          ) : (
            <p>A new run of what the delivery asked for: {asked.detail}</p>
          )}
        </ConfirmDialog>
      )}
    </>
  );
}

const actionOf = ({ outcome }: DeliveryView): string => (outcome === 'held' ? 'Approve' : 'Run again');
