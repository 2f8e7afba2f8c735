import type { HttpClient } from '@peerlab/client';
import type { BundleManifest, RunDetail } from '@peerlab/contracts';
import { findId } from '../short-id.js';

/** Builds of a run that are looked at; a run has fewer. */
const BUILDS_MAX = 200;

/** The kernels of a run that are built, by their builds. */
export async function kernelsOfRun(
  api: HttpClient,
  { jobViews }: Pick<RunDetail, 'jobViews'>,
): Promise<{ build: string; manifest: BundleManifest }[]> {
  const ids = [...new Set(jobViews.map(({ buildId }) => buildId))].slice(0, BUILDS_MAX);
  const kernels = [];
  for (const build of ids) {
    const { manifest } = await api.call('getBuild', { params: { build } });
    if (manifest !== null) kernels.push({ build, manifest });
  }
  return kernels;
}

/** What an id names: that build, or the builds of that run whose kernels are of the kind. */
export async function findBuilds(
  api: HttpClient,
  what: string,
  isWanted: (manifest: BundleManifest) => boolean,
): Promise<{ kind: 'run' | 'build'; builds: string[] }> {
  const found = await findId(api, what, ['run', 'build']);
  if (found.kind === 'build') return { kind: 'build', builds: [found.id] };
  const kernels = await kernelsOfRun(api, await api.call('getRun', { params: { run: found.id } }));
  return { kind: 'run', builds: kernels.filter(({ manifest }) => isWanted(manifest)).map(({ build }) => build) };
}
