import { z } from 'zod';
import { BuildDetail, BuildsQuery, BuildSummary, PatchText } from '../schema/builds.js';
import { BUNDLE_PATH_MAX } from '../schema/bundle.js';
import { SourceLinks } from '../schema/source-links.js';
import type { Route } from './route.js';

const BuildParams = z.object({ build: z.uuid() });

/** Routes of kernel builds, their patches and files. */
export const BUILD_ROUTES = {
  listBuilds: {
    method: 'GET',
    path: '/api/v1/builds',
    access: 'read',
    query: BuildsQuery,
    response: z.array(BuildSummary),
  },
  getBuild: {
    method: 'GET',
    path: '/api/v1/builds/:build',
    access: 'read',
    isHeavy: true,
    params: BuildParams,
    response: BuildDetail,
  },
  /** How lines of the tree that was built are found on the web. */
  getSourceLinks: {
    method: 'GET',
    path: '/api/v1/builds/:build/source-links',
    access: 'read',
    isHeavy: true,
    params: BuildParams,
    response: SourceLinks,
  },
  /** One patch of a build, counted from 1; 404 when its text is not stored. */
  getPatch: {
    method: 'GET',
    path: '/api/v1/builds/:build/patches/:number',
    access: 'read',
    isHeavy: true,
    params: BuildParams.extend({ number: z.coerce.number().int().min(1).max(10_000) }),
    response: PatchText,
  },
  /** All patches of a build as one mbox, for `git am`. */
  getSeries: {
    method: 'GET',
    path: '/api/v1/builds/:build/series.mbox',
    access: 'read',
    isHeavy: true,
    takesTicket: true,
    params: BuildParams,
  },
  /**
   * One file of a build's kernel bundle, of those that its manifest lists. A user may read all; an agent only while it
   * has work that names the bundle.
   */
  getBuildFile: {
    method: 'GET',
    path: '/api/v1/builds/:build/file',
    access: 'agent',
    isHeavy: true,
    takesTicket: true,
    params: BuildParams,
    query: z.object({ path: z.string().min(1).max(BUNDLE_PATH_MAX) }),
  },
} as const satisfies Record<string, Route>;
