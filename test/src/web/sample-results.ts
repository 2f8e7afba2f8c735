import { randomUUID } from 'node:crypto';
import {
  judge,
  SOLE_ROLE,
  type AttemptDetail,
  type AttemptSummary,
  type JobView,
  type MachineView,
  type PathKind,
  type PathPrediction,
  type Proof,
  type ResultView,
  type RunDetail,
  pairOf,
  worstVerdict,
} from '@peerlab/contracts';
import { SAMPLE_BUILDS } from './sample-builds.js';
import { combinationOfMachine } from './sample-lab.js';

/** Results of a before-and-after run, judged by the contracts' own rules. */

export const TESTS = [
  'alias_read',
  'alias_write',
  'fallback_without_op',
  'fallback_path_refused',
  'mixed_ranges',
  'thp_alias',
  'cpu_touch_migrates_back',
  'munmap_while_mapped',
  'fork_while_mapped',
  'host_oracle_agrees',
];
export const METRICS = [
  { name: 'fault_map_ram', lower: 380 },
  { name: 'fault_map_device_pte', lower: 275, fallback: 14_800 },
  { name: 'fault_map_device_pmd', lower: 105, fallback: 6_100 },
];

const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();

export interface SampleJob {
  job: JobView;
  attempt: AttemptDetail;
}

function proofOf(test: string, kind: PathKind, alias: boolean): Proof | null {
  if (test === 'munmap_while_mapped') return null;
  const usesPeer = alias && kind !== 'NOT_SUPPORTED' && !test.startsWith('fallback');
  return {
    test,
    expected: test.startsWith('fallback') ? 'ram' : 'peer',
    taken: usesPeer ? kind : 'ram',
    detail: {
      'alias pages': usesPeer ? (test === 'mixed_ranges' ? 40 : 64) : 0,
      'RAM pages': usesPeer ? (test === 'mixed_ranges' ? 24 : 0) : 64,
      'dma_alias calls': usesPeer ? 64 : 0,
      'pages migrated back': usesPeer ? 0 : 64,
      'bytes compared': 262_144,
      'oracle reads': test === 'host_oracle_agrees' ? 4 : 0,
    },
  };
}

function resultsOf(kind: PathKind, alias: boolean): ResultView[] {
  return TESTS.map((test, position) => {
    let status: ResultView['status'] = 'pass';
    let reason: string | null = null;
    let warnings: string[] = [];
    let signature: string | null = null;
    if (!alias && test.startsWith('alias')) {
      status = 'skip';
      reason = 'this kernel lacks dma_alias (CONFIG_HMM_DMA_ALIAS is not set)';
    }
    if (alias && kind === 'BUS_ADDR' && test === 'fork_while_mapped') {
      warnings = ['WARNING at mm/memremap.c:412 memremap_pages'];
    }
    if (alias && kind === 'THRU_HOST_BRIDGE' && test === 'thp_alias') {
      status = 'fail';
      reason = 'byte 8192: expected 0x5a01, got 0x5a03 <img src=x onerror="window.planted=1"> (page 2, offset 0)';
    }
    if (!alias && kind === 'NOT_SUPPORTED' && test === 'munmap_while_mapped') {
      status = 'crash';
      signature = 'KASAN: slab-use-after-free Read in p2pvram_migrate_to_ram';
    }
    if (!alias && kind === 'NOT_SUPPORTED' && ['fork_while_mapped', 'host_oracle_agrees'].includes(test)) {
      status = 'not-reached';
      reason = 'the kernel crashed in munmap_while_mapped';
    }
    const proof = status === 'pass' ? proofOf(test, kind, alias) : null;
    const judged = judge({ status, reason, proof, warnings, signature }, kind);
    return {
      role: SOLE_ROLE,
      suite: 'p2p-functional',
      test,
      position,
      status,
      ...judged,
      durationMs: 40 + position * 23.5,
      proof,
      warnings,
      signature,
      log: { stream: 'test' as const, fromSeq: 3 + position * 4, toSeq: 6 + position * 4 },
    };
  });
}

function measurementsOf(kind: PathKind, alias: boolean): AttemptDetail['measurements'] {
  return METRICS.map(({ name, lower, fallback }) => {
    const usesPeer = alias && kind !== 'NOT_SUPPORTED';
    const center = fallback === undefined || usesPeer ? lower : fallback;
    const samples = [0.97, 1.04, 1, 0.99, 1.02].map((factor) => Math.round(center * factor * 10) / 10);
    return {
      name,
      unit: 'ns/page',
      better: 'lower' as const,
      samples,
      params: { sizeMiB: 64, granularity: name.endsWith('pmd') ? 'pmd' : 'pte' },
      role: SOLE_ROLE,
      suite: 'p2p-perf',
      test: name,
      median: [...samples].sort((a, b) => a - b)[2] ?? center,
    };
  });
}

function stagesOf(startedSecondsAgo: number): AttemptSummary['stages'] {
  const lengths = [2, 6, 21, 1, 38, 2, 24];
  let at = startedSecondsAgo;
  return (['prepare', 'flash', 'boot', 'verify', 'test', 'collect', 'restore'] as const).map((stage, index) => {
    const length = lengths[index] ?? 1;
    const view = { stage, status: 'passed' as const, startedAt: ago(at), endedAt: ago(at - length), detail: null };
    at -= length;
    return view;
  });
}

/** Of a kernel whose source has a function that the farm does not know. */
const PREDICTION = {
  kind: null,
  distance: null,
  reason: 'unknown: the source changes this rule (cpu_supports_p2pdma() is not as the farm knows it); no common bridge',
};

/** An attempt with one participant. */
function withOne(
  summary: Omit<AttemptSummary, 'participants'>,
  prediction: PathPrediction | null = null,
): AttemptSummary {
  const { number: _number, progress: _progress, ...participant } = summary;
  return {
    ...summary,
    participants: [{ ...participant, role: SOLE_ROLE, build: null, clock: null, prediction }],
  };
}

const detailed = (
  { participants }: AttemptSummary,
  evidence: Pick<AttemptDetail, 'kernels' | 'streams'>,
): Pick<AttemptDetail, 'participants' | 'kernels' | 'streams'> => ({
  ...evidence,
  participants: participants.map((participant) => ({ ...participant, ...evidence })),
});

/** An ended test job of a build on a machine. */
export function sampleJob(run: { id: string; name: string }, build: string, machine: MachineView): SampleJob {
  const combination = combinationOfMachine(machine);
  const kind = combination.identity.pathKind;
  const alias = build !== 'base';
  const results = resultsOf(kind, alias);
  const crashed = results.find(({ verdict }) => verdict === 'crash');
  const summary = withOne(
    {
      id: randomUUID(),
      number: 1,
      state: 'ended',
      agent: machine.agent,
      machine: machine.name,
      fence: 41,
      startedAt: ago(600),
      endedAt: ago(506),
      failure:
        crashed === undefined
          ? null
          : {
              class: 'kernel-crash',
              stage: 'test',
              message: `the kernel crashed in ${crashed.test}; the machine was reset and came back on its default kernel`,
              signature: crashed.signature,
              help: 'The kernel crashed; the signature and the serial stream tell where.',
            },
      restored: true,
      stages: stagesOf(600),
      progress: null,
    },
    machine.name === 'v-amd-roots' && !alias ? PREDICTION : null,
  );
  const job: JobView = {
    id: randomUUID(),
    kind: 'test',
    build,
    buildId: SAMPLE_BUILDS[build] ?? randomUUID(),
    state: 'ended',
    verdict: worstVerdict(results.map(({ verdict }) => verdict)),
    machine: machine.name,
    combination,
    pair: pairOf(machine.paths[0] ?? null),
    boot: null,
    waiting: null,
    endsInMs: null,
    estimate: null,
    attempts: [summary],
  };
  const kernel = {
    release: '6.1.0-37-cloud-amd64',
    buildId: '6d3a1f0c9b27e8854a10',
    nonce: null,
    proven: true,
    detail: null,
    commandLine: null,
  };
  const attempt: AttemptDetail = {
    ...summary,
    run,
    jobId: job.id,
    kind: 'test',
    build,
    buildId: job.buildId,
    combination,
    boot: null,
    ...detailed(summary, {
      kernels: [
        { ...kernel, phase: 'default-before', bootId: randomUUID() },
        {
          ...kernel,
          phase: 'candidate',
          bootId: randomUUID(),
          release: '7.3.4-peerlab+',
          buildId: alias ? 'c0ffee1234aa55bb66cc' : 'ba5e0011223344556677',
          nonce: '00112233445566778899aabbccddeeff',
        },
        { ...kernel, phase: 'default-after', bootId: randomUUID() },
      ],
      streams: [
        { stream: 'serial', lines: 1480, expected: 1480, bytes: 90112, removedAt: null },
        { stream: 'kernel', lines: 912, expected: 912, bytes: 51200, removedAt: null },
        { stream: 'test', lines: 60, expected: 60, bytes: 4400, removedAt: null },
        { stream: 'agent', lines: 44, expected: 44, bytes: 2600, removedAt: null },
      ],
    }),
    results,
    measurements: measurementsOf(kind, alias),
    files: [],
    suspects: [],
  };
  return { job, attempt };
}

/** A build job in the middle of its work, and one that waits for it. */
export function runningRun(machine: MachineView): { run: RunDetail; attempt: AttemptDetail } {
  const id = randomUUID();
  const name = 'my series <script>window.planted=1</script>';
  const summary = withOne({
    id: randomUUID(),
    number: 1,
    state: 'running',
    agent: 'lab-1',
    machine: null,
    fence: 57,
    startedAt: ago(131),
    endedAt: null,
    failure: null,
    restored: null,
    stages: [
      { stage: 'fetch', status: 'passed', startedAt: ago(131), endedAt: ago(119), detail: null },
      { stage: 'build', status: 'started', startedAt: ago(119), endedAt: null, detail: null },
    ],
    progress: { percent: 38, text: 'CC mm/hmm.o', cached: false },
  });
  const build: JobView = {
    id: randomUUID(),
    kind: 'build',
    build: 'my-series',
    buildId: SAMPLE_BUILDS['my-series'] ?? randomUUID(),
    state: 'running',
    verdict: null,
    machine: null,
    combination: null,
    pair: null,
    boot: null,
    waiting: null,
    endsInMs: 214_000,
    estimate: { basis: 'size', ms: 345_000, samples: 3 },
    attempts: [summary],
  };
  const test: JobView = {
    ...build,
    id: randomUUID(),
    kind: 'test',
    state: 'blocked',
    machine: machine.name,
    combination: combinationOfMachine(machine),
    pair: pairOf(machine.paths[0] ?? null),
    boot: null,
    waiting: 'the kernel build my-series is at 38 %, about 3 min left',
    endsInMs: 310_000,
    estimate: null,
    attempts: [],
  };
  const run: RunDetail = {
    id,
    name,
    state: 'running',
    verdict: null,
    counts: {},
    jobs: { total: 2, ended: 0 },
    progress: { running: 1, reported: 0, planned: null, obstacle: null },
    trigger: { kind: 'webhook', detail: 'refs/heads/dma-alias at 3f9c2ab' },
    builds: ['my-series'],
    createdAt: ago(135),
    startedAt: ago(132),
    endedAt: null,
    cancelRequested: false,
    spec: {
      name,
      builds: [{ name: 'my-series', series: [{ mbox: 'From 3f9c2ab' }] }],
      suites: ['p2p-functional'],
      machines: { names: [machine.name] },
      priority: 50,
      timeouts: { bootSeconds: 180, attemptSeconds: 1800 },
    },
    yaml: null,
    jobViews: [build, test],
    endsInMs: 310_000,
    pin: null,
    purpose: 'test',
    suspects: [],
  };
  const attempt: AttemptDetail = {
    ...summary,
    run: { id, name },
    jobId: build.id,
    kind: 'build',
    build: 'my-series',
    buildId: build.buildId,
    combination: null,
    boot: null,
    ...detailed(summary, {
      kernels: [],
      streams: [{ stream: 'build', lines: 200_000, expected: null, bytes: 14_000_000, removedAt: null }],
    }),
    results: [],
    measurements: [],
    files: [],
    suspects: [],
  };
  return { run, attempt };
}
