import type { PathKind, Verdict } from '@peerlab/contracts';

/** What the sample evidence tells: a series that grows over runs, run by run, on three path kinds. */

export const STORY_SUITE = 'p2p-functional';
export const STORY_METRICS_SUITE = 'p2p-perf';
export const STORY_KINDS = ['BUS_ADDR', 'THRU_HOST_BRIDGE', 'NOT_SUPPORTED'] as const satisfies readonly PathKind[];
export const STORY_BUILDS = ['base', 'dma-alias'] as const;
export const STORY_TESTS = [
  'alias_read',
  'alias_write',
  'mixed_ranges',
  'thp_alias',
  'fork_while_mapped',
  'munmap_while_mapped',
] as const;
/** Samples per measurement. */
export const STORY_SAMPLES = 10;

type Build = (typeof STORY_BUILDS)[number];
interface Place {
  /** Counted from 0 for the oldest run. */
  run: number;
  build: Build;
  kind: PathKind;
}

/** Names the kernel: `base` stays, the series gets a new version with every second run. */
export function storyKernel({ run, build }: Omit<Place, 'kind'>): string {
  return build === 'base' ? 'base' : `dma-alias-v${Math.floor(run / 2) + 1}`;
}

/**
 * Verdict and reason of a test: the base bounces; `thp_alias` is fixed in the fifth run; one kernel
 * passes and fails `mixed_ranges`; the lab fails once; the seventh run brings a crash.
 */
export function storyVerdict(test: string, { run, build, kind }: Place): [Verdict, string | null] {
  if (kind === 'NOT_SUPPORTED' && run === 3) return ['infra', 'the machine did not answer after power-on'];
  if (build === 'base') {
    if (test.startsWith('alias') && kind !== 'NOT_SUPPORTED') {
      return ['bounced', `data right, but all 64 pages went through RAM; expected ${kind}`];
    }
    return ['pass', null];
  }
  if (test === 'thp_alias' && kind === 'THRU_HOST_BRIDGE' && run < 4) {
    return ['fail', 'byte 8192: expected 0x5a01, got 0x5a03 <img src=x onerror="window.planted=1"> (page 2, offset 0)'];
  }
  if (test === 'mixed_ranges' && kind === 'NOT_SUPPORTED' && run % 2 === 1) {
    return ['fail', 'range 3: 40 pages expected, 39 seen'];
  }
  if (kind === 'BUS_ADDR' && run >= 6) {
    if (test === 'fork_while_mapped') return ['crash', 'KASAN: slab-use-after-free Read in p2pvram_migrate_to_ram'];
    if (test === 'munmap_while_mapped') return ['not-reached', 'the kernel crashed in fork_while_mapped'];
  }
  return ['pass', null];
}

export interface StoryMetric {
  name: string;
  unit: string;
  better: 'lower' | 'higher';
  samples: number[];
}

/** Measurements of an attempt; the alias gets an eighth faster with the fifth run. Always the same numbers. */
export function storyMetrics({ run, build, kind }: Place): StoryMetric[] {
  const isPeer = build !== 'base' && kind !== 'NOT_SUPPORTED';
  const level = kind === 'THRU_HOST_BRIDGE' ? 1.2 : 1;
  const gain = run >= 4 ? 0.875 : 1;
  const noise = noiseFrom(run * 31 + STORY_KINDS.indexOf(kind) * 7 + STORY_BUILDS.indexOf(build));
  const around = (center: number): number[] =>
    Array.from({ length: STORY_SAMPLES }, () => Math.round(center * (0.985 + noise() * 0.03) * 100) / 100);
  return [
    { name: 'fault_map_ram', unit: 'ns/page', better: 'lower', samples: around(380) },
    {
      name: 'fault_map_device_pte',
      unit: 'ns/page',
      better: 'lower',
      samples: around(isPeer ? 275 * level * gain : 14_800 * level),
    },
    { name: 'copy_device', unit: 'GB/s', better: 'higher', samples: around(isPeer ? 11.4 / level : 1.9) },
  ];
}

/** Numbers from 0 to 1, the same for the same seed: a linear congruential generator. */
function noiseFrom(seed: number): () => number {
  let state = (seed + 1) * 2_654_435_761;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
