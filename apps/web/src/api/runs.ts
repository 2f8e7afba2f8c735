import { queryOptions } from '@tanstack/react-query';
import { RUN_ROUTES } from '@peerlab/contracts';
import { Api } from './client.js';

export const runApi = new Api(RUN_ROUTES);

export const runQuery = (run: string) =>
  queryOptions({
    queryKey: ['run', run],
    queryFn: ({ signal }) => runApi.call('getRun', { params: { run } }, signal),
  });
