import type { BuildSpec, CatalogueConfig, ProblemItem, RunSpec } from '@peerlab/contracts';
import { isOwnConfig, ownConfigs } from './own-configs.js';
import type { RoleSet } from './role-sets.js';

/** A kernel that a run builds or has: one of each build, and of one with `config: machine` one of each configuration. */
export interface PlannedKernel {
  /** Of the build in the run. Kernels of one build have its name. */
  buildIndex: number;
  /** With the configuration that it is built with, by its name. */
  spec: BuildSpec;
}

export interface PlannedKernels {
  kernels: PlannedKernel[];
  /** Index of the kernel that a build is on a machine; null = any machine, of builds whose kernel is one for all. */
  kernelOn: (buildIndex: number, machine: string | null) => number;
  problems: ProblemItem[];
}

/** The kernels of a run, in the order of its builds. Machines whose configurations have equal settings share one. Pure. */
export function planKernels(
  { builds }: RunSpec,
  sets: readonly RoleSet[],
  configs: readonly CatalogueConfig[],
): PlannedKernels {
  const own = ownConfigs(configs);
  const kernels: PlannedKernel[] = [];
  const problems: ProblemItem[] = [];
  const places = new Map<string, number>();
  const testers = machinesOfBuilds(sets);
  for (const [buildIndex, build] of builds.entries()) {
    if (!isOwnConfig(build)) {
      places.set(placeKey(buildIndex, null), kernels.push({ buildIndex, spec: build }) - 1);
      continue;
    }
    const path = `builds.${buildIndex}.config`;
    const byKey = new Map<string, number>();
    const machines = testers.get(buildIndex);
    for (const machine of machines ?? []) {
      const config = own.get(machine);
      if (config === undefined) {
        const message = `machine ${machine} has no configuration of its own`;
        problems.push({ path, message, remedy: `run "peerlab machine configure ${machine}" and restart the agent` });
        continue;
      }
      const { name, builtAs = name } = config;
      const known = byKey.get(builtAs);
      const place = known ?? kernels.push({ buildIndex, spec: { ...build, config: name } }) - 1;
      byKey.set(builtAs, place);
      places.set(placeKey(buildIndex, machine), place);
    }
    if (machines === undefined) {
      const message = `no machine of the run tests the build "${build.name}", so that it has no configuration`;
      problems.push({ path, message, remedy: 'select other machines or suites for it, or name a configuration' });
    }
  }
  return {
    kernels,
    kernelOn: (buildIndex, machine) => {
      const isOwn = isOwnConfig(builds[buildIndex] ?? {});
      const place = places.get(placeKey(buildIndex, isOwn ? machine : null));
      if (place === undefined) throw new Error(`build ${buildIndex} has no kernel on ${machine ?? 'any machine'}`);
      return place;
    },
    problems,
  };
}

const placeKey = (buildIndex: number, machine: string | null): string => `${buildIndex} ${machine ?? ''}`;

/** Names of the machines that test each build, by its index; a build that any machine of a combination tests has none. */
function machinesOfBuilds(sets: readonly RoleSet[]): Map<number, Set<string>> {
  const byBuild = new Map<number, Set<string>>();
  for (const { roles } of sets) {
    for (const { buildIndex, lane } of roles) {
      const { onlyMachine } = lane.wish;
      if (onlyMachine === null) continue;
      byBuild.set(buildIndex, (byBuild.get(buildIndex) ?? new Set()).add(onlyMachine));
    }
  }
  return byBuild;
}
