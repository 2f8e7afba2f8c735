import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  BundleManifest,
  GCOV_NOTES_FILE,
  MUTANTS_FILE,
  parsePatch,
  SERIES_DIFF_FILE,
  type BuildDetail,
  type BuildSummary,
  type PatchSummary,
  type RunDetail,
} from '@peerlab/contracts';
import { COUNTED_BUILD, MUTANTS_BUILD } from './sample-coverage.js';

/** Kernel builds of the sample runs, with the bundled series and one that would be markup. */

const PATCHES = fileURLToPath(new URL('../../../kernel/patches', import.meta.url));

/** Ids of the sample builds by name. */
export const SAMPLE_BUILDS: Readonly<Record<string, string>> = {
  base: '00000000-0000-4000-8000-00000000b001',
  'dma-alias': '00000000-0000-4000-8000-00000000b002',
  'my-series': '00000000-0000-4000-8000-00000000b003',
};
/** Out-of-tree drivers of the builder, one of which does not build with this kernel. */
const DRIVERS: BuildDetail['drivers'] = [
  {
    name: 'nvidia-open',
    version: '570.124',
    modules: ['nvidia', 'nvidia-uvm'],
    key: 'c4'.repeat(32),
    archive: { sha256: 'a7'.repeat(32), sizeBytes: 88_473_600 },
    error: null,
  },
  {
    name: 'toy-gpu',
    version: '1.0',
    modules: ['toy'],
    key: '5e'.repeat(32),
    archive: null,
    error: "toy.c:12: implicit declaration of function 'vm_flags_set'",
  },
];

/** A build that failed, and how many older ones there are, so that the list has a second page. */
export const FAILED_BUILD = '00000000-0000-4000-8000-00000000b004';
const OLDER = 60;

/** A patch in which everything that people can write would run if it were taken for markup. */
export const HOSTILE_PATCH = `From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: "<script>window.planted=1</script>" <x@example.org>
Date: <img src=x onerror="window.planted=1">
Subject: [PATCH] mm: <img src=x onerror="window.planted=1"> subject

<script>window.planted=1</script>
</pre><svg onload="window.planted=1">

[click](javascript:window.planted=1)
---
diff --git a/<img src=x onerror="window.planted=1">.c b/<img src=x onerror="window.planted=1">.c
--- a/<img src=x onerror="window.planted=1">.c
+++ b/<img src=x onerror="window.planted=1">.c
@@ -1,2 +1,2 @@ <svg onload="window.planted=1">
 context
-<script>window.planted=1</script>
+<iframe srcdoc="<script>parent.planted=1</script>"></iframe>
`;

const sha = (text: string): string => createHash('sha256').update(text).digest('hex');
const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();

/** A new file of many lines, which starts folded. */
const LONG_PATCH = `Subject: [PATCH] a long file\n\n--- /dev/null\n+++ b/long.c\n@@ -0,0 +1,900 @@\n${Array.from(
  { length: 900 },
  (_, line) => `+\tline_${line + 1}();\n`,
).join('')}`;

/** In the order of kernel/scripts/split-series.pl: one folder for each posting. */
const bundledTexts = (): string[] =>
  readdirSync(PATCHES, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.patch') && !name.endsWith('0000-cover-letter.patch'))
    .toSorted()
    .map((name) => readFileSync(`${PATCHES}/${name}`, 'utf8'));

function summaries(texts: readonly (string | null)[]): PatchSummary[] {
  return texts.map((text, index) => {
    const { author, date, files, subject } = parsePatch(text ?? 'Subject: a patch whose text is lost\n\n');
    return {
      number: index + 1,
      file: `000${index + 1}.patch`,
      subject: subject ?? '?',
      sha256: sha(text ?? String(index)),
      content:
        text === null
          ? null
          : {
              author,
              date,
              sizeBytes: text.length,
              files: files.map(({ path, added, removed }) => ({ path, added, removed })),
            },
    };
  });
}

function manifestOf(name: string, patches: readonly PatchSummary[]): BundleManifest {
  const version = name === 'base' ? '7.2.13' : '7.3.4';
  return BundleManifest.parse({
    schema: 1,
    key: sha(`key ${name}`),
    release: `${version}-peerlab-${sha(`key ${name}`).slice(0, 8)}`,
    buildId: sha(`build ${name}`).slice(0, 40),
    base: { version, sha256: sha(`base ${version}`) },
    series: patches.map(({ file, subject, sha256 }) => ({ file, subject, sha256 })),
    config: { name: 'peerlab', sha256: sha('config') },
    toolchain: 'gcc (Debian 12.2.0-14) 12.2.0; GNU ld 2.40',
    features: name === 'base' ? [] : ['dma_alias'],
    modules: ['peerlab_provider', 'peerlab_client'],
    suites: [
      {
        name: 'p2p-functional',
        kind: 'functional',
        command: ['suites/p2p-functional'],
        timeoutSeconds: 900,
        tests: ['alias_read', 'alias_write', 'thp_alias'],
      },
      { name: 'p2p-perf', kind: 'performance', command: ['suites/p2p-perf'], timeoutSeconds: 600, tests: [] },
    ],
    ...(name === 'base' ? { unbuilt: [{ target: 'timers', error: 'posix_timers.c:7: unknown type <b>x</b>' }] } : {}),
    files: {
      vmlinuz: { sha256: sha('vmlinuz'), sizeBytes: 9_120_334 },
      'modules.tar': { sha256: sha('modules'), sizeBytes: 1_331_200 },
      'System.map': { sha256: sha('System.map'), sizeBytes: 4_103_112 },
      config: { sha256: sha('config'), sizeBytes: 91_020 },
      'suites/p2p-functional': { sha256: sha('p2p-functional'), sizeBytes: 1_204_000 },
      'suites/p2p-perf': { sha256: sha('p2p-perf'), sizeBytes: 980_400 },
    },
  });
}

/** Answers about builds. `ended` and `live` are the sample runs that have them. */
export class SampleBuilds {
  private readonly texts = new Map<string, (string | null)[]>();
  private readonly builds: BuildDetail[];
  /** In no list. */
  private readonly unlisted: BuildDetail[];

  constructor(ended: RunDetail, live: RunDetail) {
    const bundled = bundledTexts();
    this.builds = [
      this.build('my-series', live, 'building', [HOSTILE_PATCH]),
      this.build('dma-alias', ended, 'ready', [...bundled, LONG_PATCH, null]),
      this.build('base', ended, 'ready', []),
      {
        ...this.build('wont-apply', ended, 'failed', [HOSTILE_PATCH]),
        id: FAILED_BUILD,
        error: {
          class: 'apply',
          patch: '<b>x.patch</b>',
          file: 'mm/hmm.c',
          hunk: 2,
          line: 311,
          detail: 'context differs',
        },
      },
    ];
    this.texts.set(FAILED_BUILD, [HOSTILE_PATCH]);
    const plain = this.build('base', ended, 'ready', []);
    const file = { sha256: sha('notes'), sizeBytes: 70_000 };
    const withFiles = (id: string, name: string, config: string, names: readonly string[]): BuildDetail => ({
      ...plain,
      id,
      name,
      config,
      manifest: plain.manifest && {
        ...plain.manifest,
        files: { ...plain.manifest.files, ...Object.fromEntries(names.map((each) => [each, file])) },
      },
    });
    this.unlisted = [
      withFiles(COUNTED_BUILD, 'counted', 'coverage', [SERIES_DIFF_FILE, GCOV_NOTES_FILE]),
      withFiles(MUTANTS_BUILD, 'mutants', 'peerlab', [MUTANTS_FILE]),
    ];
  }

  /** Those whose kernel has a build-id that starts so. */
  withBuildId(prefix: string): BuildSummary[] {
    return this.list(undefined, this.builds.length).filter(
      ({ manifest }) => manifest?.buildId.startsWith(prefix) === true,
    );
  }

  /** The newest first; with `before` those behind the build of that cursor. */
  list(before: string | undefined, limit: number): BuildSummary[] {
    const [, base] = this.builds.toReversed();
    const older = Array.from({ length: OLDER }, (_, index) => ({
      ...(base ?? this.get(undefined)),
      id: `00000000-0000-4000-8000-0000000c${String(index).padStart(4, '0')}`,
      name: `older-${index + 1}`,
      createdAt: ago(90_000 + index * 3600),
    }));
    const all = [...this.builds, ...older];
    // By the id: the times of the older ones move with the clock.
    const from = before === undefined ? 0 : all.findIndex(({ id }) => before.endsWith(`~${id}`)) + 1;
    return all
      .slice(from, from + limit)
      .map(({ id, name, runId, runName, state, manifest, bundle, error, createdAt }) => ({
        id,
        name,
        runId,
        runName,
        state,
        bundle,
        error,
        createdAt,
        cursor: cursorOf({ id, createdAt }),
        manifest: manifest === null ? null : { ...manifest, patches: manifest.series.length },
      }));
  }

  /** The build; throws when there is none. */
  get(id: string | undefined): BuildDetail {
    const build = [...this.builds, ...this.unlisted].find((each) => each.id === id);
    if (build === undefined) throw new Error(`there is no build ${id}`);
    return build;
  }

  has(id: string | undefined): boolean {
    return [...this.builds, ...this.unlisted].some((each) => each.id === id);
  }

  text(id: string, number: number): string | null {
    return this.texts.get(id)?.[number - 1] ?? null;
  }

  private build(name: string, run: RunDetail, state: BuildDetail['state'], texts: (string | null)[]): BuildDetail {
    const id = SAMPLE_BUILDS[name] ?? FAILED_BUILD;
    this.texts.set(id, texts);
    const patches = summaries(texts);
    const manifest = state === 'ready' ? manifestOf(name, patches) : null;
    return {
      id,
      name,
      runId: run.id,
      runName: run.name,
      state,
      bundle: manifest === null ? null : { sha256: sha(`bundle ${name}`), sizeBytes: 11_468_800, removedAt: null },
      error: null,
      createdAt: run.createdAt,
      manifest,
      drivers: name === 'base' ? DRIVERS : [],
      run: { state: run.state, trigger: `${run.trigger.kind}, ${run.trigger.detail}` },
      configFile: null,
      fragment: null,
      source: name === 'base' ? { kind: 'base', name: '7.2' } : { kind: 'farm' },
      config: 'peerlab',
      sources:
        texts.length === 0 ? [] : state === 'ready' ? [{ kind: 'bundled' }] : [{ kind: 'mbox', characters: 900 }],
      buildAttemptId: run.jobViews.find((job) => job.kind === 'build' && job.build === name)?.attempts[0]?.id ?? null,
      jobs: run.jobViews
        .filter((job) => job.kind === 'test' && job.build === name)
        .map(({ id: job, machine, combination, state: jobState, verdict, attempts }) => ({
          id: job,
          role: null,
          machine,
          combination,
          state: jobState,
          verdict,
          attemptId: attempts.at(-1)?.id ?? null,
        })),
      patches,
      missing: texts.includes(null)
        ? `The text of 1 of ${texts.length} patches is not stored: the kernel was built before agents kept it, or retention removed it. Retry the run: its build finds the kernel ready and adds the text.`
        : null,
      same: [],
      sameTotal: 0,
    };
  }
}

const cursorOf = ({ id, createdAt }: { id: string; createdAt: string }): string => `${createdAt}~${id}`;
