import { queryOptions } from '@tanstack/react-query';
import { SUBMISSION_ROUTES } from '@peerlab/contracts';
import { Api } from './client.js';

export const submissionApi = new Api(SUBMISSION_ROUTES);

/** Suites and configurations that a run may name; they change when an agent connects. */
export const catalogueQuery = () =>
  queryOptions({ queryKey: ['catalogue'], queryFn: ({ signal }) => submissionApi.call('getCatalogue', {}, signal) });

export const templatesQuery = () =>
  queryOptions({
    queryKey: ['templates'],
    queryFn: ({ signal }) => submissionApi.call('listTemplates', {}, signal),
    staleTime: 60_000,
  });
