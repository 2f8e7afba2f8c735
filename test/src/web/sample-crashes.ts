import type {
  AttemptCrash,
  AttemptDetail,
  CrashDetail,
  CrashSighting,
  CrashSummary,
  FailureSighting,
  RouteName,
  SeenCrash,
} from '@peerlab/contracts';
import { Refusal } from './sample-refusal.js';

const ago = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString();

/** What the kernels of the sample farm reported: the crash of its story in every attempt that has it, and a warning. */
const CRASHES: readonly Omit<AttemptCrash, 'suite' | 'test'>[] = [
  {
    key: '5f2b8a1c9d3e4f60718293a4b5c6d7e8',
    title: 'KASAN: slab-use-after-free Read in p2pvram_migrate_to_ram',
    type: 'kasan',
    severity: 'crash',
    corrupted: false,
    role: 'main',
    stream: 'serial',
    startLine: 700,
    endLine: 742,
    times: 1,
    frames: ['dump_stack_lvl', 'kasan_report', 'p2pvram_migrate_to_ram', 'do_swap_page', 'handle_mm_fault'],
    sources: [
      {
        call: 'p2pvram_migrate_to_ram+0x1c4/0x2e0 [p2pvram]',
        frames: [
          { name: 'p2pvram_page', file: 'drivers/gpu/p2pvram/page.h', line: 41 },
          { name: 'p2pvram_migrate_to_ram', file: 'drivers/gpu/p2pvram/migrate.c', line: 212 },
        ],
      },
      {
        call: 'do_swap_page+0x5a/0x1300',
        frames: [{ name: 'do_swap_page <img src=x onerror="window.planted=1">', file: 'mm/memory.c', line: null }],
      },
    ],
    taint: 'GO',
  },
  {
    key: '0f1e2d3c4b5a69788796a5b4c3d2e1f0',
    title: 'WARNING in p2pvram_unmap <img src=x onerror="window.planted=1">',
    type: 'warning',
    severity: 'warning',
    corrupted: true,
    role: 'main',
    stream: 'kernel',
    startLine: 12,
    endLine: 12,
    times: 3,
    frames: [],
    sources: [],
    taint: null,
  },
];

/** What the kernel of the story was built from. */
const GIT = { url: 'https://git.example.org/linux.git', ref: 'master', commit: 'a257'.padEnd(40, '9') };

const pickLines = ({ role, stream, startLine, endLine, times, corrupted, suite, test }: AttemptCrash) => ({
  role,
  stream,
  startLine,
  endLine,
  times,
  corrupted,
  suite,
  test,
});

/** The crashes of the sample farm. */
export class SampleCrashes {
  constructor(private readonly attempts: ReadonlyMap<string, AttemptDetail>) {}

  answer(name: RouteName, params: Record<string, string>, query: Record<string, string>): unknown {
    switch (name) {
      case 'listCrashes': {
        const q = (query['q'] ?? '').toLowerCase();
        const crashes = CRASHES.filter(({ title }) => title.toLowerCase().includes(q)).map((each) =>
          this.summary(each),
        );
        return { crashes, total: crashes.length };
      }
      case 'getCrash':
        return this.detail(this.one(params['crash']));
      case 'listAttemptCrashes':
        return { crashes: this.ofAttempt(params['attempt'] ?? ''), pending: false };
      default: {
        const { title } = this.one(params['crash']);
        return { subject: `[BUG] ${title}`, body: `Hello,\n\na test farm saw this report of the kernel: ${title}\n` };
      }
    }
  }

  private one(key: string | undefined): (typeof CRASHES)[number] {
    const found = CRASHES.find((each) => each.key === key);
    if (found === undefined) throw new Refusal(404, 'not-found', 'there is no such crash');
    return found;
  }

  private ofAttempt(id: string): SeenCrash[] {
    const attempt = this.attempts.get(id);
    const crash = attempt?.results.find(({ verdict }) => verdict === 'crash');
    if (attempt === undefined || crash === undefined) return [];
    const { suite, test } = crash;
    return CRASHES.map((each, at) => ({
      ...each,
      suite,
      test,
      earlier: at * 4,
      buildId: attempt.buildId,
      git: at === 0 ? GIT : null,
      patches: 2,
    }));
  }

  private seenIn(): AttemptDetail[] {
    return [...this.attempts.values()].filter(({ id }) => this.ofAttempt(id).length > 0);
  }

  private sighting(days: number): FailureSighting {
    const [attempt] = this.seenIn();
    if (attempt === undefined) throw new Refusal(404, 'not-found', 'no attempt of the sample crashed');
    const { id: attemptId, machine, build, run } = attempt;
    return { at: ago(days), attemptId, machine, build, run };
  }

  private summary({ key, title, type, severity, corrupted }: (typeof CRASHES)[number]): CrashSummary {
    const [first, last] = [this.sighting(21), this.sighting(1)];
    return { key, title, type, severity, corrupted, count: 14, combinations: 3, kernels: 2, first, last };
  }

  private detail(crash: (typeof CRASHES)[number]): CrashDetail {
    const sightings: CrashSighting[] = this.seenIn().flatMap((attempt) =>
      this.ofAttempt(attempt.id)
        .filter(({ key }) => key === crash.key)
        .map((seen) => ({
          ...pickLines(seen),
          ...this.sighting(1),
          attemptId: attempt.id,
          buildId: attempt.buildId,
        })),
    );
    const [attempt] = this.seenIn();
    const summary = this.summary(crash);
    return {
      ...summary,
      frames: crash.frames,
      sources: crash.sources,
      sourcesBuild: attempt?.buildId ?? null,
      taint: crash.taint,
      places: [
        {
          combination: attempt?.combination ?? null,
          count: 14,
          first: summary.first,
          last: summary.last,
          lastGood: this.sighting(30),
        },
      ],
      tests: [{ suite: 'p2p-functional', test: 'fork_while_mapped', count: 14 }],
      builds: [{ id: attempt?.buildId ?? '', name: attempt?.build ?? '', release: '7.3.4', count: 14 }],
      sightings,
    };
  }
}
