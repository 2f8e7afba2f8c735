import { queryOptions } from '@tanstack/react-query';
import { RETENTION_ROUTES } from '@peerlab/contracts';
import { Api } from './client.js';

export const retentionApi = new Api(RETENTION_ROUTES);

export const retentionQuery = () =>
  queryOptions({ queryKey: ['retention'], queryFn: ({ signal }) => retentionApi.call('getRetention', {}, signal) });

/** What retention would remove now. Sent on request only, because the plan reads everything that is stored. */
export const retentionPlanQuery = () =>
  queryOptions({
    queryKey: ['retention-plan'],
    queryFn: ({ signal }) => retentionApi.call('planRetention', {}, signal),
    enabled: false,
  });
