import {
  defaultSuites,
  fewOf,
  fileOfSpec,
  RUN_SUITES_MAX,
  suiteOfVariant,
  suiteVariants,
  unknownSuites,
  type FarmCatalogue,
  type ProblemItem,
  type RunSpec,
} from '@peerlab/contracts';
import { nearestName } from './nearest-name.js';
import { isOwnConfig } from './own-configs.js';

/** What builds of a run may name. */
export interface Offer {
  /** What agents tell. */
  catalogue: FarmCatalogue;
  /** Suite names by key of the bundles that the run names. */
  bundles: ReadonlyMap<string, readonly string[]>;
}

const isBuilt = ({ builds }: RunSpec): boolean => builds.some(({ bundle }) => bundle === undefined);

/** Suites that the kernels of a run have; null = not known, because a builder does not tell. */
function suitesOfKernels(spec: RunSpec, { catalogue, bundles }: Offer): Set<string> | null {
  if (isBuilt(spec) && !catalogue.isComplete) return null;
  const ofBundles = spec.builds.flatMap(({ bundle }) => bundles.get(bundle ?? '') ?? []);
  return new Set([...(isBuilt(spec) ? catalogue.suites.map(({ name }) => name) : []), ...ofBundles]);
}

/** The run with all that it says by default or by name: what is stored does not change when the catalogue does. */
export function completeRun(spec: RunSpec, offer: Offer): RunSpec {
  return withKselftests(withLabSuites(withDefaultSuites(spec, offer), offer));
}

/**
 * Where a run names no suites, those that the farm runs by default, as far as its kernels have them, and all that they
 * have where they have none of those.
 */
function withDefaultSuites(spec: RunSpec, offer: Offer): RunSpec {
  if (spec.suites.length > 0) return spec;
  const offered = suitesOfKernels(spec, offer);
  const usual = defaultSuites(offer.catalogue).filter((name) => offered?.has(name) ?? true);
  return { ...spec, suites: (usual.length > 0 ? usual : [...(offered ?? [])]).slice(0, RUN_SUITES_MAX) };
}

/** The definitions of suites that a lab brings; the name of a suite with a matrix stands for its variants. */
function withLabSuites(spec: RunSpec, { catalogue }: Offer): RunSpec {
  const ofLabs = new Map(catalogue.labSuites.map((suite) => [suite.name, suite]));
  const ofKernels = new Set(catalogue.suites.map(({ name }) => name));
  const own = new Map((spec.ownSuites ?? []).map((suite) => [suite.name, suite]));
  const suites = spec.suites.flatMap((name) => {
    const base = suiteOfVariant(name);
    const lab = ofLabs.get(base);
    if (lab === undefined || own.has(base) || ofKernels.has(base)) return [name];
    own.set(base, lab);
    return name === base ? suiteVariants(lab).map((variant) => variant.name) : [name];
  });
  return own.size === 0 ? spec : { ...spec, suites, ownSuites: [...own.values()] };
}

/** Each kernel that is built gets the targets of the kernel's selftests that its suites name. */
function withKselftests(spec: RunSpec): RunSpec {
  const own = (spec.ownSuites ?? []).filter(({ kselftest }) => kselftest !== undefined);
  if (own.length === 0) return spec;
  const builds = spec.builds.map((build) => {
    if (build.bundle !== undefined) return build;
    const chosen = new Set((build.suites ?? spec.suites).map(suiteOfVariant));
    const targets = own.flatMap(({ name, kselftest }) => (chosen.has(name) ? (kselftest ?? []) : []));
    const kselftests = [...new Set([...(build.kselftests ?? []), ...targets])];
    return kselftests.length === 0 ? build : { ...build, kselftests };
  });
  return { ...spec, builds };
}

/** Names of suites, configurations and bases that there are not. */
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
  const known = configs.map(({ name }) => name);
  const builds = spec.builds.map(({ config, base }, at) => [
    // Whether machines have configurations of their own is asked of those that test it (planned-kernels.ts).
    ...(config === undefined || isOwnConfig({ config }) || !isComplete
      ? []
      : unknownName('configuration', `builds.${at}.config`, config, known)),
    ...(base === undefined || !isComplete
      ? []
      : unknownName('other base', `builds.${at}.base`, base, offer.catalogue.bases)),
  ]);
  return [...named, ...checkSuites(spec, offer), ...builds.flat(), ...checkSources(spec, offer)];
}

/** Sources that no builder of the farm would fetch, before a job waits for one that does. */
function checkSources({ builds }: RunSpec, { catalogue }: Offer): ProblemItem[] {
  const { repositories, configFiles, isComplete } = catalogue;
  return builds.flatMap(({ git, tarball, configFile, fragment }, at): ProblemItem[] => {
    if (configFile !== undefined && configFiles !== true) {
      const message = 'no builder of this farm builds with a configuration that was uploaded';
      return [
        { path: `builds.${at}.configFile`, message, remedy: 'update the agents of the builders, or name a config' },
      ];
    }
    const field =
      git !== undefined ? 'git' : tarball !== undefined ? 'tarball' : fragment !== undefined ? 'fragment' : null;
    if (field === null) return [];
    if (repositories === null) {
      const message = `no builder of this farm builds from ${field === 'fragment' ? 'a fragment' : `another source (${field})`}`;
      return [{ path: `builds.${at}.${field}`, message, remedy: 'update the agents of the builders, or leave it out' }];
    }
    if (git === undefined || repositories.includes(git.url) || !isComplete) return [];
    const message = `the repository ${git.url} is not allowed on any builder`;
    const near = nearestName(git.url, repositories);
    const all = fewOf(repositories) || 'none; name them under repositories in the configuration of a builder’s agent';
    const remedy = near === null ? `allowed repositories are ${all}` : `did you mean "${near}"?`;
    return [{ path: `builds.${at}.git.url`, message, remedy }];
  });
}

function checkSuites(spec: RunSpec, offer: Offer): ProblemItem[] {
  const ofKernels = suitesOfKernels(spec, offer);
  const own = new Map((spec.ownSuites ?? []).map((suite) => [suite.name, suite]));
  const variants = new Set([...own.values()].flatMap((suite) => suiteVariants(suite).map(({ name }) => name)));
  const ofLabs = offer.catalogue.labSuites.map(({ name }) => name);
  return fileOfSpec(spec).suites.flatMap((choice, at): ProblemItem[] => {
    const path = `suites.${at}`;
    if (typeof choice === 'string') {
      if (ofKernels === null || ofKernels.has(choice)) return [];
      return unknownName('suite', path, choice, [...ofKernels, ...ofLabs]);
    }
    const { name } = choice;
    if (ofKernels?.has(name) === true) {
      const message = `the name "${name}" is that of a suite of the kernel`;
      return [{ path: `${path}.name`, message, remedy: 'give your suite another name' }];
    }
    return spec.suites
      .filter((suite) => suiteOfVariant(suite) === name && !variants.has(suite))
      .flatMap((suite) => unknownName('suite', path, suite, [...variants]));
  });
}

function unknownName(what: string, path: string, name: string, known: readonly string[]): ProblemItem[] {
  if (known.includes(name)) return [];
  const near = nearestName(name, known);
  const all = `${what}s are ${known.join(', ') || 'not known'}`;
  return [{ path, message: `there is no ${what} "${name}"`, remedy: near === null ? all : `did you mean "${near}"?` }];
}
