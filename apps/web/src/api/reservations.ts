import { queryOptions } from '@tanstack/react-query';
import { RESERVATION_ROUTES } from '@peerlab/contracts';
import { Api } from './client.js';
import { SENT_ONCE } from './query-client.js';

export const reservationApi = new Api(RESERVATION_ROUTES);

/** Who had a terminal of a machine; needs a token. The key begins with that of the machine, as its other parts do. */
export const terminalsQuery = (machine: string) =>
  queryOptions({
    queryKey: ['machine', machine, 'terminals'],
    queryFn: ({ signal }) => reservationApi.call('listTerminals', { params: { machine } }, signal),
    ...SENT_ONCE,
  });
