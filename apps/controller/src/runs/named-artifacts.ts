import type { RunSpec } from '@peerlab/contracts';
import { ownArtifacts } from './own-suites.js';

/** Digests of every uploaded file that a run names, each once. */
export function namedArtifacts(spec: Pick<RunSpec, 'builds' | 'ownSuites'>): string[] {
  const digests = new Set(ownArtifacts(spec));
  for (const { tarball, configFile, series = [] } of spec.builds) {
    for (const sha256 of [tarball, configFile]) if (sha256 !== undefined) digests.add(sha256);
    for (const source of series) if (typeof source === 'object' && 'artifact' in source) digests.add(source.artifact);
  }
  return [...digests];
}
