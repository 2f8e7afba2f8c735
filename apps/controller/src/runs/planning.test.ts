import {
  combinationLabel,
  combinationOf,
  MBOX_MAX,
  peerPaths,
  RunSpec,
  type PathKind,
  type RunSpecInput,
} from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import { farmCatalogue } from '../fleet/catalogue.js';
import { SAMPLE_CATALOGUE, sampleInventory } from '../testing/samples.js';
import { nearestSelection, planRun, type PlannableMachine, type PlanningStock } from './planning.js';

const CATALOGUE = farmCatalogue([{ catalogue: SAMPLE_CATALOGUE, builds: true }]);
const STOCK: PlanningStock = { bundles: new Map(), artifacts: new Set(), anyPair: new Set(), catalogue: CATALOGUE };

const HASHES = { BUS_ADDR: 'b'.repeat(64), NOT_SUPPORTED: 'c'.repeat(64), THRU_HOST_BRIDGE: 'd'.repeat(64) };

function machine(name: string, kind: PathKind, labels: Record<string, string> = {}): PlannableMachine {
  const inventory = sampleInventory(kind);
  const paths = peerPaths(inventory).map((path) => {
    const identity = combinationOf(inventory, path);
    return { ...path, combination: { hash: HASHES[kind], label: combinationLabel(identity), identity } };
  });
  return { name, labels, configured: true, paths };
}

/** A machine with one client and a provider for each kind of path. */
function manyPairs(name: string, kinds: readonly PathKind[]): PlannableMachine {
  const paths = kinds.flatMap((kind, at) => {
    const address = `0000:${at.toString(16).padStart(2, '0')}:00.0`;
    return machine(name, kind)
      .paths.slice(0, 1)
      .map((path) => ({
        ...path,
        provider: { ...path.provider, address },
      }));
  });
  return { name, labels: {}, configured: true, paths };
}

const FLEET = [
  machine('v-amd-roots', 'THRU_HOST_BRIDGE', { cpu: 'amd' }),
  machine('v-intel-roots', 'NOT_SUPPORTED', { cpu: 'intel' }),
  machine('v-switch', 'BUS_ADDR', { cpu: 'amd' }),
];

function plan(more: Partial<RunSpecInput>, fleet = FLEET, stock = STOCK) {
  const builds = [
    { name: 'base', series: [] },
    { name: 'patched', series: ['bundled' as const] },
  ];
  return planRun(RunSpec.parse({ name: 'x', builds, ...more }), fleet, stock);
}

describe('planRun', () => {
  it('refuses patches that do not fit into the assignment of their build, and names the largest', () => {
    // A line feed is two bytes of JSON, a control character six.
    for (const mboxes of [
      ['x', '\n'.repeat(MBOX_MAX)],
      ['x'.repeat(10), '\u0001'.repeat(MBOX_MAX / 2)],
    ]) {
      const series = ['bundled' as const, ...mboxes.map((mbox) => ({ mbox }))];
      const { jobs, problems } = plan({
        builds: [
          { name: 'base', series: [] },
          { name: 'big', series },
        ],
      });
      expect(jobs).toEqual([]);
      expect(problems).toEqual([
        {
          path: 'builds.1.series.2',
          message: expect.stringMatching(/^the patches of the build "big" have \d+ bytes as they are sent/),
          remedy: expect.stringContaining('upload this mbox as an artifact'),
        },
      ]);
    }
    const diff = '--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-a\n+b\n';
    const fits = plan({ builds: [{ name: 'b', series: [{ mbox: diff.padEnd(MBOX_MAX, 'x') }] }] });
    expect(fits.problems).toEqual([]);
  });

  it('crosses builds with the paths of all machines, the first build first', () => {
    const { jobs, problems } = plan({});
    expect(problems).toEqual([]);
    expect(jobs.map(({ build, machines, path }) => `${build} ${machines.join()} ${path.kind}`)).toEqual([
      'base v-amd-roots THRU_HOST_BRIDGE',
      'base v-intel-roots NOT_SUPPORTED',
      'base v-switch BUS_ADDR',
      'patched v-amd-roots THRU_HOST_BRIDGE',
      'patched v-intel-roots NOT_SUPPORTED',
      'patched v-switch BUS_ADDR',
    ]);
  });

  it('boots builds in turns on each machine, as often as the run says', () => {
    const { jobs } = plan({ repeat: 3, machines: { names: ['v-switch', 'v-amd-roots'] } });
    const on = (name: string) =>
      jobs.filter((job) => job.machines.join() === name).map(({ build, boot }) => `${build} ${boot}`);
    const turns = ['base 1', 'patched 1', 'base 2', 'patched 2', 'base 3', 'patched 3'];
    expect([on('v-switch'), on('v-amd-roots')]).toEqual([turns, turns]);
    expect(plan({}).jobs.every(({ boot }) => boot === 1)).toBe(true);
  });

  it('refuses more boots than a farm can have in its queue', () => {
    const many = Array.from({ length: 500 }, (_, index) => machine(`m${index}`, 'BUS_ADDR'));
    const each = { machines: { each: true } };
    expect(plan({ ...each, repeat: 16 }, many).jobs).toHaveLength(16_000);
    expect(plan({ ...each, repeat: 17 }, many).problems).toMatchObject([{ path: 'repeat' }]);
  });

  it('says of every machine left out why', () => {
    const { jobs, unmatched } = plan({ machines: { labels: { cpu: 'amd' }, paths: ['BUS_ADDR'] } });
    expect(new Set(jobs.flatMap(({ machines }) => machines))).toEqual(new Set(['v-switch']));
    expect(unmatched).toEqual([
      { machine: 'v-amd-roots', why: 'has no path of kind BUS_ADDR' },
      { machine: 'v-intel-roots', why: 'has no label cpu=amd (it has cpu=intel)' },
    ]);
  });

  it('refuses what matches nothing, with the nearest selection that would', () => {
    const { jobs, problems } = plan({ machines: { labels: { cpu: 'intel' }, paths: ['BUS_ADDR'] } });
    expect(jobs).toEqual([]);
    expect(problems).toContainEqual({
      path: 'machines',
      message: 'v-switch has no label cpu=intel (it has cpu=amd)',
      remedy: 'without paths BUS_ADDR it would match v-intel-roots',
    });
  });

  it('names a misspelled machine even when others match', () => {
    const { problems } = plan({ machines: { names: ['v-switch', 'v-amd-root'] } });
    expect(problems).toEqual([
      { path: 'machines.names.1', message: 'there is no machine "v-amd-root"', remedy: 'did you mean "v-amd-roots"?' },
    ]);
  });

  it('says so when there is no machine at all, or none with a pair', () => {
    expect(plan({}, []).problems[0]?.message).toBe('no machine is known yet');
    const bare = { name: 'bare', labels: {}, configured: true, paths: [] };
    expect(plan({}, [bare]).problems[0]?.message).toMatch(/^bare has no provider and client pair/);
  });

  describe('of a machine with several providers', () => {
    const mixed = manyPairs('v-mixed', ['BUS_ADDR', 'NOT_SUPPORTED', 'BUS_ADDR']);
    const builds = [{ name: 'base', series: [] }];
    const planned = (more: Partial<RunSpecInput>, stock = STOCK) =>
      plan({ builds, ...more }, [mixed], stock).jobs.map(({ path }) => `${path.provider.address} ${path.kind}`);

    it('tests one pair of each combination: the first', () => {
      expect(planned({})).toEqual(['0000:00:00.0 BUS_ADDR', '0000:01:00.0 NOT_SUPPORTED']);
      expect(planned({ pairs: 'distinct' })).toEqual(planned({}));
    });

    it('tests every pair of a run that asks for all', () => {
      expect(planned({ pairs: 'all' })).toEqual([
        '0000:00:00.0 BUS_ADDR',
        '0000:01:00.0 NOT_SUPPORTED',
        '0000:02:00.0 BUS_ADDR',
      ]);
    });

    it('selects pairs by the kind of their path', () => {
      expect(planned({ machines: { paths: ['NOT_SUPPORTED'] } })).toEqual(['0000:01:00.0 NOT_SUPPORTED']);
      expect(planned({ machines: { paths: ['BUS_ADDR'] }, pairs: 'all' })).toHaveLength(2);
      const suiteMachines = { 'p2p-perf': { paths: ['BUS_ADDR' as const] } };
      const { jobs } = plan({ builds, suiteMachines }, [mixed]);
      expect(jobs.map(({ suites }) => suites.length)).toEqual([2, 1]);
    });

    it('tests the first pair of a bundle whose modules take what they find', () => {
      const key = 'a'.repeat(64);
      const stock = (takesAnyPair: boolean) => ({
        ...STOCK,
        bundles: new Map([[key, ['own']]]),
        anyPair: new Set(takesAnyPair ? [key] : []),
      });
      const own = { builds: [{ name: 'b', bundle: key }], suites: ['own'], pairs: 'all' as const };
      expect(planned(own, stock(false))).toEqual(['0000:00:00.0 BUS_ADDR']);
      expect(planned(own, stock(true))).toHaveLength(3);
    });

    it('refuses more pairs than a run may have jobs', () => {
      const crowded = Array.from({ length: 20 }, (_, at) =>
        manyPairs(
          `m${at}`,
          Array.from({ length: 1000 }, () => 'BUS_ADDR' as const),
        ),
      );
      expect(plan({ builds, pairs: 'all' }, crowded).problems).toMatchObject([{ path: 'machines' }]);
      expect(plan({ builds, machines: { each: true } }, crowded).jobs).toHaveLength(20);
    });
  });

  describe('of machines with one combination', () => {
    const twins = [
      machine('v-a', 'BUS_ADDR', { rack: '1', upstream: 'yes' }),
      machine('v-b', 'BUS_ADDR', { rack: '2' }),
      machine('v-c', 'BUS_ADDR', { rack: '2', upstream: 'yes' }),
    ];
    const planned = (more: Partial<RunSpecInput>) =>
      plan(more, twins).jobs.map(
        ({ build, machines, suites }) => `${build} ${machines.join('|')}: ${suites.join(' ')}`,
      );

    it('tests each build once, on any of them', () => {
      const any = ['base v-a|v-b|v-c: p2p-functional p2p-perf', 'patched v-a|v-b|v-c: p2p-functional p2p-perf'];
      expect(planned({})).toEqual(any);
      const { jobs } = plan({ machines: { labels: { rack: '2' } } }, twins);
      expect(jobs.map(({ wish }) => wish)).toEqual(
        jobs.map(() => ({
          combination: HASHES.BUS_ADDR,
          pair: 0,
          onlyMachine: null,
          labels: { rack: '2' },
          ownSuites: false,
        })),
      );
    });

    it('tests every one that is named anywhere, or that the run asks for', () => {
      const each = (...names: string[]) =>
        ['base', 'patched'].flatMap((build) => names.map((name) => `${build} ${name}: p2p-functional p2p-perf`));
      expect(planned({ machines: { each: true } })).toEqual(each('v-a', 'v-b', 'v-c'));
      expect(planned({ machines: { names: ['v-a', 'v-c'] } })).toEqual(each('v-a', 'v-c'));
      expect(planned({ pairs: 'all' })).toEqual(each('v-a', 'v-b', 'v-c'));
      const named = { 'p2p-perf': { names: ['v-b'] } };
      expect(planned({ suiteMachines: named })).toContain('patched v-a: p2p-functional');
      expect(plan({ machines: { each: true } }, twins).jobs.map(({ wish }) => wish.onlyMachine)).not.toContain(null);
    });

    it('runs a suite that few of them may run on those, with all the others', () => {
      const { jobs, unmatched } = plan({ suiteMachines: { 'p2p-perf': { labels: { upstream: 'yes' } } } }, twins);
      expect(jobs.map(({ build, machines }) => `${build} ${machines.join('|')}`)).toEqual([
        'base v-a|v-c',
        'patched v-a|v-c',
      ]);
      expect(unmatched).toEqual([
        { machine: 'v-b', why: expect.stringContaining('has the combination of v-a, where all is tested') },
      ]);
    });

    it('splits what no single one may run, and tests nothing twice', () => {
      const suiteMachines = { 'p2p-functional': { labels: { upstream: 'yes' } }, kunit: { labels: { rack: '2' } } };
      const suites = ['p2p-functional', 'p2p-perf', 'kunit'];
      const apart = twins.slice(0, 2);
      const { jobs } = plan({ suites, suiteMachines, builds: [{ name: 'b', series: [] }] }, apart);
      expect(jobs.map(({ machines, suites: own }) => `${machines.join('|')}: ${own.join(' ')}`)).toEqual([
        'v-a: p2p-functional p2p-perf',
        'v-b: kunit',
      ]);
    });

    it('puts the builds that are compared into one lane, on one machine', () => {
      const builds = [
        { name: 'base', series: [] },
        { name: 'patched', series: ['bundled' as const], machines: { labels: { rack: '2' } } },
      ];
      const { jobs } = plan({ builds, repeat: 2 }, twins);
      expect(jobs.map(({ lane, machines }) => `${lane} ${machines.join('|')}`)).toEqual(jobs.map(() => '1 v-b|v-c'));
    });
  });

  it('leaves out a machine that its agent was told to forget', () => {
    const [first, ...others] = FLEET;
    if (first === undefined) throw new Error('no machine');
    const { jobs, unmatched } = plan({}, [{ ...first, configured: false }, ...others]);
    expect(jobs.some((job) => job.machines.includes(first.name))).toBe(false);
    expect(unmatched).toEqual([{ machine: first.name, why: 'is no longer in the configuration of its agent' }]);
  });

  it('names a misspelled machine of a suite', () => {
    const { problems } = plan({ suiteMachines: { 'p2p-perf': { names: ['v-swich'] } } });
    expect(problems).toMatchObject([{ path: 'suiteMachines.p2p-perf.names.0', remedy: 'did you mean "v-switch"?' }]);
  });

  it('gives each build and machine its own suites, and no job where none is left', () => {
    const { jobs, unmatched, problems } = plan({
      suites: ['p2p-functional', 'hmm-tests', 'p2p-perf'],
      suiteMachines: { 'hmm-tests': { names: ['v-switch'] }, 'p2p-functional': { labels: { cpu: 'amd' } } },
      builds: [
        { name: 'base', series: [], suites: ['p2p-functional', 'hmm-tests'] },
        { name: 'patched', series: ['bundled'] },
      ],
    });
    expect(problems).toEqual([]);
    expect(jobs.map(({ build, machines, suites }) => `${build} ${machines.join()}: ${suites.join(' ')}`)).toEqual([
      'base v-amd-roots: p2p-functional',
      'base v-switch: p2p-functional hmm-tests',
      'patched v-amd-roots: p2p-functional p2p-perf',
      'patched v-intel-roots: p2p-perf',
      'patched v-switch: p2p-functional hmm-tests p2p-perf',
    ]);
    expect(unmatched).toEqual([]);
    const some = plan({
      builds: [
        { name: 'base', series: [] },
        { name: 'debug', series: ['bundled'], machines: { labels: { cpu: 'intel' } } },
      ],
    });
    expect(some.jobs.filter(({ build }) => build === 'debug').flatMap(({ machines }) => machines)).toEqual([
      'v-intel-roots',
    ]);
    const typo = plan({ builds: [{ name: 'b', series: [], machines: { names: ['v-swich'] } }] });
    expect(typo.problems[0]).toMatchObject({ path: 'builds.0.machines.names.0' });
    const none = plan({ suites: ['p2p-perf'], suiteMachines: { 'p2p-perf': { labels: { cpu: 'amd' } } } });
    expect(none.unmatched.map(({ machine: name }) => name)).toEqual(['v-intel-roots']);
  });

  it('refuses unknown suites, bundles and artifacts by field', () => {
    expect(plan({ suites: ['p2p-functinal'] }).problems).toEqual([
      { path: 'suites.0', message: 'there is no suite "p2p-functinal"', remedy: 'did you mean "p2p-functional"?' },
    ]);
    const key = 'a'.repeat(64);
    expect(plan({ builds: [{ name: 'b', bundle: key }] }).problems[0]?.path).toBe('builds.0.bundle');
    expect(plan({ builds: [{ name: 'b', series: [{ artifact: key }] }] }).problems[0]?.path).toBe(
      'builds.0.series.0.artifact',
    );
    const stock = { ...STOCK, bundles: new Map([[key, ['own-suite']]]) };
    expect(plan({ builds: [{ name: 'b', bundle: key }], suites: ['own-suite'] }, FLEET, stock).problems).toEqual([]);
    expect(plan({ builds: [{ name: 'b', series: [], config: 'debgu' }] }).problems).toEqual([
      { path: 'builds.0.config', message: 'there is no configuration "debgu"', remedy: 'did you mean "debug"?' },
    ]);
  });

  it('runs what the farm runs by default where the run names no suites', () => {
    expect(plan({}).spec.suites).toEqual(['p2p-functional', 'p2p-perf']);
    const key = 'a'.repeat(64);
    const bundle = (...suites: string[]) =>
      plan({ builds: [{ name: 'b', bundle: key }] }, FLEET, { ...STOCK, bundles: new Map([[key, suites]]) });
    expect(bundle('p2p-perf', 'own').spec.suites).toEqual(['p2p-perf']);
    expect(bundle('own', 'other').spec.suites).toEqual(['own', 'other']);
    expect(plan({ suiteMachines: { kunit: {} } }).problems).toEqual([
      { path: 'suiteMachines.kunit', message: 'the run has no suite "kunit"; add it to suites' },
    ]);
  });

  it('says what it waits for while no builder was ever there, and tests bundles all the same', () => {
    const fresh = { ...STOCK, catalogue: farmCatalogue([]) };
    expect(plan({ suites: ['p2p-perf'] }, FLEET, fresh).problems).toEqual([
      {
        path: 'builds.0',
        message: expect.stringContaining('the farm waits for a builder'),
        remedy: 'or name the bundle of a kernel that is built already',
      },
    ]);
    const key = 'a'.repeat(64);
    const { spec, problems } = plan({ builds: [{ name: 'b', bundle: key }] }, FLEET, {
      ...fresh,
      bundles: new Map([[key, ['own']]]),
    });
    expect([spec.suites, problems]).toEqual([['own'], []]);
  });

  it('takes suites of the run and of labs, and stores what they are', () => {
    const lab = { name: 'lab-io', script: 'x', matrix: { SIZE: ['4k', '1M'] } };
    const stock = { ...STOCK, catalogue: { ...CATALOGUE, labSuites: [lab] } };
    const mine = { name: 'mine', kselftest: 'timers', needs: { labels: { cpu: 'intel' } } };
    const { spec, jobs, problems } = plan({ suites: ['lab-io', 'mine', 'kunit'], ownSuites: [mine] }, FLEET, stock);
    expect(problems).toEqual([]);
    expect(spec.suites).toEqual(['lab-io[SIZE=4k]', 'lab-io[SIZE=1M]', 'mine', 'kunit']);
    expect(spec.ownSuites).toEqual([mine, lab]);
    expect(spec.builds.map(({ kselftests }) => kselftests)).toEqual([['timers'], ['timers']]);
    expect(jobs.filter(({ suites }) => suites.includes('mine')).flatMap(({ machines }) => machines)).toEqual([
      'v-intel-roots',
      'v-intel-roots',
    ]);
  });

  it('refuses a suite of the run that has the name of one of the kernel, lacks a file, or is too much', () => {
    const own = (suite: object, stock = STOCK) =>
      plan({ suites: ['p2p-perf', 'kunit'], ownSuites: [{ name: 'kunit', script: 'x', ...suite }] }, FLEET, stock)
        .problems;
    expect(own({})).toEqual([
      {
        path: 'suites.1.name',
        message: 'the name "kunit" is that of a suite of the kernel',
        remedy: expect.any(String),
      },
    ]);
    const files = [{ name: 'data', artifact: 'b'.repeat(64) }];
    expect(own({ files })[0]?.path).toBe('suites.1.files.0.artifact');
    expect(own({ files }, { ...STOCK, artifacts: new Set(['b'.repeat(64)]) })[0]?.path).toBe('suites.1.name');
    const matrix = { A: Array.from({ length: 32 }, (_, index) => index) };
    const big = { name: 'big', script: '\u0001'.repeat(60_000), matrix };
    const names = matrix.A.map((value) => `big[A=${value}]`);
    expect(plan({ suites: names, ownSuites: [big] }).problems[0]).toMatchObject({
      path: 'suites',
      remedy: 'upload long scripts as files, or give fewer variants',
    });
    expect(plan({ suites: ['big[A=33]'], ownSuites: [{ ...big, script: 'x' }] }).problems[0]?.message).toBe(
      'there is no suite "big[A=33]"',
    );
  });

  it('leaves out machines whose agent is too old for suites of a run', () => {
    const fleet = FLEET.map((each) => ({ ...each, runsOwnSuites: each.name !== 'v-switch' }));
    const { jobs, unmatched } = plan({ suites: ['mine'], ownSuites: [{ name: 'mine', script: 'x' }] }, fleet);
    expect(jobs.some(({ machines }) => machines.includes('v-switch'))).toBe(false);
    expect(unmatched).toEqual([
      { machine: 'v-switch', why: 'has an agent that is too old for suites of a run; update it' },
    ]);
  });

  it('takes every name while a builder does not tell what it builds', () => {
    const old = {
      ...STOCK,
      catalogue: farmCatalogue([SAMPLE_CATALOGUE, null].map((catalogue) => ({ catalogue, builds: true }))),
    };
    expect(plan({ suites: ['new-suite'] }, FLEET, old).problems).toEqual([]);
    expect(plan({}, FLEET, old).spec.suites).toEqual(['p2p-functional', 'p2p-perf']);
    const silent = { ...STOCK, catalogue: farmCatalogue([{ catalogue: null, builds: true }]) };
    expect(plan({}, FLEET, silent).problems[0]).toMatchObject({ path: 'suites' });
  });
});

it('nearestSelection drops as little as possible and knows when nothing helps', () => {
  expect(nearestSelection({ names: ['x'], labels: { cpu: 'intel' } }, FLEET)).toBe(
    'without names x it would match v-intel-roots',
  );
  expect(nearestSelection({}, [{ name: 'bare', labels: {}, configured: true, paths: [] }])).toBeNull();
});
