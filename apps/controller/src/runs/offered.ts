import { defaultSuites, unknownSuites, type FarmCatalogue, type ProblemItem, type RunSpec } from '@peerlab/contracts';
import { nearestName } from './nearest-name.js';

/** What builds of a run may name. */
export interface Offer {
  /** What the builders tell. */
  catalogue: FarmCatalogue;
  /** Suite names by key of the bundles that the run names. */
  bundles: ReadonlyMap<string, readonly string[]>;
}

/** Suites that the builds of a run have; null = not known, because a builder does not tell. */
function offeredSuites(spec: RunSpec, { catalogue, bundles }: Offer): Set<string> | null {
  const isBuilt = spec.builds.some(({ bundle }) => bundle === undefined);
  if (isBuilt && !catalogue.isComplete) return null;
  const ofBundles = spec.builds.flatMap(({ bundle }) => bundles.get(bundle ?? '') ?? []);
  return new Set([...(isBuilt ? catalogue.suites.map(({ name }) => name) : []), ...ofBundles]);
}

/**
 * The run with suites: where it names none, those that the farm runs by default, as far as its builds have them, and
 * all that they have where they have none of those.
 */
export function withDefaultSuites(spec: RunSpec, offer: Offer): RunSpec {
  if (spec.suites.length > 0) return spec;
  const offered = offeredSuites(spec, offer);
  const usual = defaultSuites(offer.catalogue).filter((name) => offered?.has(name) ?? true);
  return { ...spec, suites: (usual.length > 0 ? usual : [...(offered ?? [])]).slice(0, SUITES_MAX) };
}

/** Suites of one run. */
const SUITES_MAX = 32;

/** Names of suites and configurations that there are not. */
export function checkOffered(spec: RunSpec, offer: Offer): ProblemItem[] {
  const { waitsFor, isComplete, configs } = offer.catalogue;
  const firstBuilt = spec.builds.findIndex(({ bundle }) => bundle === undefined);
  if (firstBuilt !== -1 && waitsFor !== null) {
    const message = `this kernel cannot be built yet: the farm waits for ${waitsFor}`;
    return [{ path: `builds.${firstBuilt}`, message, remedy: 'or name the bundle of a kernel that is built already' }];
  }
  if (spec.suites.length === 0) {
    const message = 'no builder has told which suites there are';
    return [{ path: 'suites', message, remedy: 'name the suites to run, or update the agents of the builders' }];
  }
  const named = unknownSuites(spec).map(({ path, message }) => ({ path: path.join('.'), message }));
  const offered = offeredSuites(spec, offer);
  const suites =
    offered === null ? [] : spec.suites.map((name, at) => unknownName('suite', `suites.${at}`, name, [...offered]));
  const known = configs.map(({ name }) => name);
  const builds = spec.builds.map(({ config }, at) =>
    config === undefined || !isComplete ? [] : unknownName('configuration', `builds.${at}.config`, config, known),
  );
  return [...named, ...suites, ...builds].flat();
}

function unknownName(what: string, path: string, name: string, known: readonly string[]): ProblemItem[] {
  if (known.includes(name)) return [];
  const near = nearestName(name, known);
  const all = `${what}s are ${known.join(', ') || 'not known'}`;
  return [{ path, message: `there is no ${what} "${name}"`, remedy: near === null ? all : `did you mean "${near}"?` }];
}
