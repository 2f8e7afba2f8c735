import { queryOptions } from '@tanstack/react-query';
import { COVERAGE_ROUTES } from '@peerlab/contracts';
import { Api } from './client.js';

const coverageApi = new Api(COVERAGE_ROUTES);

/** Which lines of a build's series ran. The key begins with the build's own: what makes that one stale does so here. */
export const coverageQuery = (build: string) =>
  queryOptions({
    queryKey: ['build', build, 'coverage'],
    queryFn: ({ signal }) => coverageApi.call('getBuildCoverage', { params: { build } }, signal),
  });

/** Which mutants of a build's series were noticed. */
export const mutantsQuery = (build: string) =>
  queryOptions({
    queryKey: ['build', build, 'mutants'],
    queryFn: ({ signal }) => coverageApi.call('getBuildMutants', { params: { build } }, signal),
  });
