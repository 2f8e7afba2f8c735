import { z } from 'zod';
import { BundleManifest, NewBundleManifest } from '../schema/bundle.js';
import { Sha256 } from '../schema/ids.js';
import type { Route } from './route.js';

/** Routes of stored artifacts and kernel bundles. */
export const BUNDLE_ROUTES = {
  putArtifact: {
    method: 'PUT',
    path: '/api/v1/artifacts/:sha256',
    access: 'agent',
    params: z.object({ sha256: Sha256 }),
    response: z.object({ sha256: Sha256, sizeBytes: z.number() }),
  },
  getArtifact: {
    method: 'GET',
    path: '/api/v1/artifacts/:sha256',
    access: 'agent',
    params: z.object({ sha256: Sha256 }),
  },
  /**
   * The stored bundle with this key; 404 when there is none. An agent that builds is told of bundles that
   * builds made and of no others.
   */
  findBundle: {
    method: 'GET',
    path: '/api/v1/bundles/:key',
    access: 'agent',
    params: z.object({ key: Sha256 }),
    response: z.object({
      manifest: BundleManifest,
      bundle: z.object({ sha256: Sha256, sizeBytes: z.number() }),
      /** Patches of its series whose text is not stored: worth an upload by whoever has them. */
      missingPatches: z.array(Sha256).default([]),
    }),
  },
  /**
   * Registers an uploaded bundle artifact so that runs can name it by the key in the answer, which is never
   * the key of a build. The manifest must be the one in the tar. 409 when another bundle was registered
   * under the manifest's key.
   */
  registerBundle: {
    method: 'POST',
    path: '/api/v1/bundles',
    access: 'user',
    body: z.strictObject({ manifest: NewBundleManifest, sha256: Sha256 }),
    response: z.object({ key: Sha256 }),
  },
} as const satisfies Record<string, Route>;
