import { randomUUID } from 'node:crypto';
import type { NewBuild } from '../builds/build.service.js';
import type { NewJob, NewRole } from './job.service.js';
import type { Plan, PlannedRole } from './planning.js';

/** The job of each build that no stored bundle is named for. */
export function jobsOfBuilds(builds: readonly NewBuild[]): NewJob[] {
  return builds
    .filter(({ spec }) => spec.bundle === undefined)
    .map(({ id, position, spec }) => ({
      id: randomUUID(),
      buildId: id,
      buildName: spec.name,
      position,
      kind: 'build',
      state: 'queued',
      wish: null,
      path: null,
      suites: null,
      roles: [],
      sameLabels: [],
      round: null,
      lane: null,
    }));
}

/**
 * The jobs of a plan; those whose kernels are all built may start at once.
 * @param builds of the kernels of the plan, in their order
 */
export function jobsOfPlan({ spec, jobs }: Plan, builds: readonly NewBuild[]): NewJob[] {
  const isRepeated = (spec.repeat ?? 1) > 1;
  const newRole = ({ role, kernel, wish, path, suites }: PlannedRole): NewRole & { isBuilt: boolean } => {
    const build = builds[kernel];
    if (build === undefined) throw new Error(`a planned job names kernel ${kernel} of ${builds.length}`);
    const isBuilt = build.spec.bundle !== undefined;
    return { role, buildId: build.id, buildName: build.spec.name, wish, path, suites, isBuilt };
  };
  return jobs.map(({ roles, combination, lane, boot }, index): NewJob => {
    const planned = roles.map(newRole);
    const [first] = planned;
    if (first === undefined) throw new Error('a planned job has no role');
    const isSingle = planned.length === 1;
    return {
      ...first,
      id: randomUUID(),
      position: builds.length + index,
      kind: 'test',
      state: planned.every(({ isBuilt }) => isBuilt) ? 'queued' : 'blocked',
      wish: isSingle
        ? first.wish
        : { combination: combination.hash, pair: 0, onlyMachine: null, labels: {}, ownSuites: false },
      roles: isSingle ? [] : planned,
      sameLabels: spec.relation?.sameLabels ?? [],
      round: isRepeated ? boot : null,
      lane: isRepeated ? lane : null,
    };
  });
}
