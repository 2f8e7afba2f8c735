import { placeName, type BuildSpec, type Labels, type RunRole, type RunSpec } from '@peerlab/contracts';
import { columnsOf, json, nullable, pick, type RowOf } from '../platform/database/row-shape.js';
import { Job, Run } from '../schema/runs.js';
import { isOwnConfig } from './own-configs.js';

/** A job that is run again, with its run. */
export const RETRIED_JOB = {
  ...pick(
    columnsOf(Job),
    'run_id',
    'kind',
    'build_name',
    'machine',
    'only_machine',
    'combination',
    'labels',
    'pair',
    'suites',
  ),
  ...pick(columnsOf(Run), 'spec', 'submitter', 'purpose'),
  /** Of a job with several; empty for all others. */
  roles: json<RetriedRole[]>(),
  /** Of a build: machines that the tests of its kernel are for; null where they are for none in particular. */
  tested_on: nullable(json<string[]>()),
};

/** What a role of a job asked for. */
interface RetriedRole {
  role: string;
  build: string;
  /** That ran it. */
  machine: string | null;
  onlyMachine: string | null;
  combination: string;
  labels: Labels;
  pair: number;
  suites: string[];
}

/** `m1/base`, `server m1/base, client m2/new`: where a job tested, and with what. */
export function testedPlace({ machine, build_name: name, roles }: RowOf<typeof RETRIED_JOB>): string {
  const own = { machine, pair: null, build: { name } };
  if (roles.length === 0) return placeName(own);
  return placeName({
    ...own,
    roles: roles.map((each) => ({ ...own, role: each.role, machine: each.machine, build: { name: each.build } })),
  });
}

/**
 * The spec of a run with one of its jobs alone: on the machine that it was for, or on any with its combination. A build is
 * made and tested wherever the run tested it. Machines' own configurations are those that they have now: another one may
 * not boot.
 */
export function narrowed({ spec, kind, build_name: name, ...job }: RowOf<typeof RETRIED_JOB>): RunSpec {
  const { only_machine: onlyMachine, combination, labels, suites } = job;
  const builds = spec.builds.filter((build) => build.name === name);
  // The build alone: with roles it is tested in all of them.
  if (kind === 'build' || combination === null) {
    // Other machines need another kernel of this name, which has a job of its own.
    const names = builds.some(isOwnConfig) ? job.tested_on : null;
    return {
      ...spec,
      ...(names === null ? {} : { machines: { ...spec.machines, names } }),
      builds,
      ...(spec.roles === undefined ? {} : { roles: spec.roles.map(withoutBuilds) }),
    };
  }
  if (job.roles.length > 0) return narrowedRoles(spec, job.roles);
  return {
    name: spec.name,
    builds: builds.map(kernelOf),
    suites: suites ?? spec.suites,
    ...(spec.ownSuites === undefined ? {} : { ownSuites: spec.ownSuites }),
    machines: { ...(onlyMachine === null ? { labels } : { names: [onlyMachine] }), combinations: [combination] },
    ...(spec.pairs === undefined ? {} : { pairs: spec.pairs }),
    priority: spec.priority,
    timeouts: spec.timeouts,
  };
}

const withoutBuilds = ({ builds: _builds, ...role }: RunRole): RunRole => role;

/** The kernel of a build, without what it is tested on. */
const kernelOf = ({ suites: _suites, machines: _machines, ...kernel }: BuildSpec): BuildSpec => kernel;

/** The spec of a run with one of its jobs alone that has several roles. */
function narrowedRoles(spec: RunSpec, roles: readonly RetriedRole[]): RunSpec {
  const { suiteMachines: _suiteMachines, repeat: _repeat, ...rest } = spec;
  const devices = new Map(spec.roles?.map(({ name, rdmaDevice }) => [name, rdmaDevice]));
  return {
    ...rest,
    builds: spec.builds.filter(({ name }) => roles.some(({ build }) => build === name)).map(kernelOf),
    machines: {},
    roles: roles.map(({ role, build, onlyMachine, combination, labels, suites }) => {
      const rdmaDevice = devices.get(role);
      return {
        name: role,
        machines: { ...(onlyMachine === null ? { labels } : { names: [onlyMachine] }), combinations: [combination] },
        builds: [build],
        suites,
        ...(rdmaDevice === undefined ? {} : { rdmaDevice }),
      };
    }),
  };
}
