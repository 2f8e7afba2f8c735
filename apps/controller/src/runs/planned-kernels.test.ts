import {
  combinationLabel,
  combinationOf,
  peerPaths,
  RunSpec,
  type CatalogueConfig,
  type RunSpecInput,
} from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import { farmCatalogue } from '../fleet/catalogue.js';
import { SAMPLE_CATALOGUE, sampleInventory } from '../testing/samples.js';
import { ownConfigs } from './own-configs.js';
import { planRun, type Plan, type PlannableMachine } from './planning.js';

/** All have the same hardware. */
function machine(name: string): PlannableMachine {
  const inventory = sampleInventory('BUS_ADDR');
  const paths = peerPaths(inventory).map((path) => {
    const identity = combinationOf(inventory, path);
    return { ...path, combination: { hash: 'b'.repeat(64), label: combinationLabel(identity), identity } };
  });
  return { name, labels: {}, configured: true, paths };
}

const FLEET = ['debian', 'debian-too', 'fedora'].map(machine);
const config = (name: string, builtAs: string, of?: string): CatalogueConfig => ({
  name,
  about: '',
  bootFactor: 2,
  builtAs,
  ...(of === undefined ? {} : { machine: of }),
});
const OWN = [config('debian', 'whole-1'), config('deb2', 'whole-1', 'debian-too'), config('fedora', 'whole-2')];
const MINE = { name: 'mine', series: ['bundled' as const], config: 'machine' };

function plan(more: Partial<RunSpecInput>, own = OWN, fleet = FLEET): Plan {
  const told = { ...SAMPLE_CATALOGUE, configs: [...SAMPLE_CATALOGUE.configs, ...own] };
  return planRun(RunSpec.parse({ name: 'x', builds: [MINE], ...more }), fleet, {
    bundles: new Map(),
    artifacts: new Set(),
    anyPair: new Set(),
    catalogue: farmCatalogue([{ catalogue: told, builds: true }]),
  });
}

/** What each job boots, as `BUILD CONFIG on MACHINES`. */
const booted = ({ jobs, kernels }: Plan): string[] =>
  jobs.map(({ roles }) =>
    roles
      .map(({ kernel, machines }) => {
        const spec = kernels[kernel]?.spec;
        return `${spec?.name ?? ''} ${spec?.config ?? '-'} on ${machines.join('|')}`;
      })
      .join(', '),
  );

describe('config: machine', () => {
  it('gives each machine a kernel of its own configuration, one to those with equal settings', () => {
    const planned = plan({ builds: [{ name: 'base', series: [] }, MINE] });
    expect(planned.problems).toEqual([]);
    expect(planned.kernels.map(({ buildIndex, spec }) => [buildIndex, spec.name, spec.config])).toEqual([
      [0, 'base', undefined],
      [1, 'mine', 'debian'],
      [1, 'mine', 'fedora'],
    ]);
    // Of one combination, and each is tested: also the others of the run are.
    expect(booted(planned)).toEqual([
      'base - on debian',
      'base - on debian-too',
      'base - on fedora',
      'mine debian on debian',
      'mine debian on debian-too',
      'mine fedora on fedora',
    ]);
    expect(planned.jobs.every(({ wish, machines }) => wish.onlyMachine === machines[0])).toBe(true);
    // What is stored as the run is what was asked for.
    expect(planned.spec.builds[1]?.config).toBe('machine');
  });

  it('boots each role on its machine with the configuration of that', () => {
    const roles = [
      { name: 'client', machines: { names: ['debian'] } },
      { name: 'server', machines: { names: ['fedora', 'debian-too'] } },
    ];
    const planned = plan({ roles });
    expect(booted(planned)).toEqual([
      'mine debian on debian, mine debian on debian-too',
      'mine debian on debian, mine fedora on fedora',
    ]);
    expect(planned.kernels).toHaveLength(2);
  });

  it('leaves a role without such a kernel to any machine of its combination', () => {
    const roles = [
      { name: 'client', builds: ['mine'] },
      { name: 'server', builds: ['base'] },
    ];
    const planned = plan({ builds: [{ name: 'base', series: [] }, MINE], roles });
    expect(planned.problems).toEqual([]);
    expect(booted(planned)[0]).toBe('mine debian on debian, base - on debian|debian-too|fedora');
  });

  it('says which machine has no configuration of its own, and what to do', () => {
    const planned = plan({}, OWN.slice(0, 1));
    expect(planned.problems).toEqual(
      ['debian-too', 'fedora'].map((name) => ({
        path: 'builds.0.config',
        message: `machine ${name} has no configuration of its own`,
        remedy: `run "peerlab machine configure ${name}" and restart the agent`,
      })),
    );
    expect(planned).toMatchObject({ jobs: [], kernels: [] });
    // A machine that is not asked for needs none.
    expect(plan({ machines: { names: ['debian'] } }, OWN.slice(0, 1)).problems).toEqual([]);
  });

  it('refuses a build that no machine tests, for which there is no configuration', () => {
    const builds = [
      { name: 'base', series: [] },
      { ...MINE, machines: { labels: { set: 'none' } } },
    ];
    expect(plan({ builds }).problems).toMatchObject([
      { path: 'builds.1.config', message: expect.stringContaining('no machine of the run tests the build "mine"') },
    ]);
  });

  it('is refused for a kernel that is built already', () => {
    const build = { name: 'mine', bundle: 'a'.repeat(64), config: 'machine' };
    const { error } = RunSpec.safeParse({ name: 'x', builds: [build] });
    expect(error?.issues).toMatchObject([{ path: ['builds', 0, 'config'] }]);
  });

  it('makes mutants of each of the kernels, and repeats them all in turns', () => {
    const planned = plan({ builds: [{ ...MINE, mutants: 'auto' }], repeat: 2 });
    expect(planned.kernels.map(({ spec }) => spec.mutants)).toEqual(['auto', 'auto']);
    expect(planned.jobs).toHaveLength(6);
  });
});

it('of several configurations of a machine that of its name is its own, else the first by name', () => {
  const own = ownConfigs([
    config('b', 'whole-1', 'm1'),
    config('a', 'whole-2', 'm1'),
    config('m2', 'whole-3'),
    config('a2', 'whole-4', 'm2'),
    { name: 'm3', about: '', bootFactor: 1 },
  ]);
  expect([...own].map(([name, each]) => [name, each.name])).toEqual([
    ['m1', 'a'],
    ['m2', 'm2'],
  ]);
});
