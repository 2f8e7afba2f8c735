import { queryOptions } from '@tanstack/react-query';
import { TOKEN_ROUTES } from '@peerlab/contracts';
import { Api } from './client.js';
import { SENT_ONCE } from './query-client.js';

export const tokenApi = new Api(TOKEN_ROUTES);

export const tokensQuery = () =>
  queryOptions({
    queryKey: ['tokens'],
    queryFn: ({ signal }) => tokenApi.call('listTokens', {}, signal),
    ...SENT_ONCE,
  });
