import { z } from 'zod';
import { BuildCoverage } from '../schema/coverage.js';
import { BuildMutants } from '../schema/mutants.js';
import type { Route } from './route.js';

const BuildParams = z.object({ build: z.uuid() });

/** Routes of what the tests of a build do to the lines of its series. */
export const COVERAGE_ROUTES = {
  /** Which lines of its series the tests of a build ran, over all its attempts. 404 for a kernel that does not count. */
  getBuildCoverage: {
    method: 'GET',
    path: '/api/v1/builds/:build/coverage',
    access: 'read',
    isHeavy: true,
    params: BuildParams,
    response: BuildCoverage,
  },
  /** Which mutants of its series the tests of a build noticed, over all its attempts. 404 for a kernel without any. */
  getBuildMutants: {
    method: 'GET',
    path: '/api/v1/builds/:build/mutants',
    access: 'read',
    isHeavy: true,
    params: BuildParams,
    response: BuildMutants,
  },
} as const satisfies Record<string, Route>;
