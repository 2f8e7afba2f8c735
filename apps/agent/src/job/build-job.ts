import { existsSync } from 'node:fs';
import { chmod, mkdir, rename, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type AnyStage,
  type Assignment,
  type BundleManifest,
  type DriverBuild,
  type PathRule,
  type Work,
} from '@peerlab/contracts';
import type { AttemptSpool } from '../spool/attempt-spool.js';
import { formatBytes, formatSeconds } from '../timing.js';
import { readRecipe } from '../catalogue/recipe.js';
import { messageOf } from '../error-message.js';
import type { PreparedSource, SourceSettings, TreeSource } from '../source/index.js';
import { BuildFailed } from './build-failed.js';
import { putPathRule } from './put-path-rule.js';
import type { BuildLimits } from './build-limits.js';
import type { BuildScriptHandlers } from './build-script.js';
import { removeScratch, trimBuiltBundles } from './builder-cache.js';
import { checkBuiltBundle, type ExpectedBundle } from './bundle-check.js';
import { BundleCache, sha256OfFile } from './bundle-cache.js';
import { DriverBuilds } from './driver-builds.js';
import { AgentStopping, type Failure, JobFailure, failureOf } from './failure.js';
import { KernelBuilder, type KernelRequest, type SeriesArgument, isTrusted } from './kernel-builder.js';
import { DEVEL_FILE, MODULES_FILE } from './modules-archive.js';
import { ScriptFailed } from './script-failed.js';
import { makeScratchFolder, removeLeftFolders } from './scratch-folder.js';
import { patchesIn, uploadPatches } from './series-patches.js';
import { type SeriesMails, unmetBases } from './series-mails.js';
import { runTool } from './system-tool.js';
import { takeOver } from './take-over.js';

export type BuildWork = Extract<Work, { kind: 'build' }>;

export interface BuildSettings extends SourceSettings {
  kernelDir: string;
  limits: BuildLimits;
}

/** The script's word for a request that makes no sense, such as an unknown configuration. */
const EXIT_USAGE = 2;
/** Lines of a build that are kept: a whole kernel prints 5 000. The others are counted. */
const LOG_LINES_MAX = 200_000;
/** Lines that may be the reason of a failure; the first ones are. */
const ERROR_LINES_MAX = 1000;
/** Longest series, in bytes. */
const SERIES_MAX_BYTES = 64 * 1024 * 1024;
/** A configuration that was submitted; build-bundle.sh refuses what is longer than 2 MiB, with the reason. */
const CONFIG_FILE = 'submitted.config';
const CONFIG_FILE_MAX_BYTES = 16 * 1024 * 1024;
/** Progress from which on files of the tree may have run: what the script says then, the series may say. */
const TREE_RUNS_PERCENT = 8;

/** A script's failure as that of the attempt. */
function buildFailureOf({ script, end, trusted }: ScriptFailed): Error {
  if (end.exceeded !== null) return new BuildFailed({ class: 'compile', detail: end.exceeded });
  if (end.error !== null) {
    // A series could call its own failure the lab's, and be tried again and again.
    const ownWords = !trusted && end.percent >= TREE_RUNS_PERCENT && end.error.class === 'infrastructure';
    return new BuildFailed(
      ownWords ? { class: 'compile', detail: `the build gave up: ${end.error.detail}` } : end.error,
    );
  }
  const detail = `${script} exited with ${end.code ?? 'a signal'}: ${end.lastStderrLine ?? end.outputLines.at(-1) ?? 'no output'}`;
  const treeRan = end.percent >= TREE_RUNS_PERCENT;
  // make, too, ends with the status of a wrong usage.
  if (end.code === EXIT_USAGE && !treeRan) return new JobFailure('request', detail);
  if (!trusted && treeRan) return new BuildFailed({ class: 'compile', detail });
  return new BuildFailed({ class: 'infrastructure', detail });
}

/** A patch that does not apply, with what its series says it needs. */
function withHints(failure: Error, unmet: readonly string[]): Error {
  const [hint] = unmet;
  if (!(failure instanceof BuildFailed) || failure.error.class !== 'apply' || hint === undefined) return failure;
  return new BuildFailed({ ...failure.error, detail: `${failure.error.detail}; ${hint}` });
}

/** One build attempt: key, look-up, build, upload. */
class BuildJob {
  /** What was read of the mails, and what they want that is not there. */
  readonly #mails: SeriesMails[] = [];
  #unmet: string[] = [];
  /** Lines of the build's log that name errors, with their numbers. */
  readonly #errorLines = new Map<string, number>();
  #lastPercent = -1;
  #lastProgressAt = Number.NEGATIVE_INFINITY;

  readonly #settings: BuildSettings;
  readonly #work: BuildWork;
  readonly #spool: AttemptSpool;
  readonly #signal: AbortSignal;
  readonly #folder: string;

  constructor(settings: BuildSettings, work: BuildWork, spool: AttemptSpool, signal: AbortSignal, folder: string) {
    this.#settings = settings;
    this.#work = work;
    this.#spool = spool;
    this.#signal = signal;
    this.#folder = folder;
  }

  async run(): Promise<void> {
    const builder = await KernelBuilder.open(this.#settings, this.#folder, this.#handlers(), this.#signal);
    if (builder.noSandbox !== null) this.#note(`build: ${builder.noSandbox}`);
    // Before the scripts copy what they build.
    const recipe = this.#recipe();
    const { request, base, inputs, patches, stored, pathRule } = await this.#stage('fetch', async () => {
      const { config, configFile, source, fragment, cacheDomain: domain = null } = this.#work;
      this.#requireSandbox(builder);
      const otherBase = source !== undefined && 'base' in source ? source.base : null;
      const request: KernelRequest = {
        series: await this.#seriesArguments(builder, otherBase),
        config,
        source: null,
        configFile: configFile && (await this.#configFile(builder, configFile)),
        fragment,
        domain,
        kselftests: this.#work.kselftests ?? [],
        mutants: this.#work.mutants?.count,
      };
      if (source !== undefined && !('base' in source)) request.source = await this.#fetchSource(builder, source);
      this.#unmet = unmetBases(this.#mails, request.source?.commit ?? null);
      for (const note of this.#unmet) this.#note(`series: ${note}`);
      const base = request.source?.folder ?? (await this.#believed(builder.fetchBase(otherBase)));
      const { inputs, patches } = await this.#believed(builder.inputs(request, base));
      const stored = await this.#settings.artifacts.findBundle(inputs.key, this.#signal);
      const pathRule = stored === null ? await this.#pathRule(builder, base, patches) : null;
      return { request, base, inputs, patches, stored, pathRule };
    });
    const out = this.#bundleFolder(inputs.key);
    const here = existsSync(join(out, 'manifest.json'));
    const short = `bundle ${inputs.key.slice(0, 12)}…`;
    if (stored !== null) {
      this.#note(`build: the controller holds ${short} already`);
      const { manifest, bundle, missingPatches } = stored;
      await this.#keepPatches(patches, missingPatches);
      const fetched = (): Promise<string> =>
        new BundleCache(join(this.#folder, 'fetched'), this.#settings.artifacts).fetch(
          bundle.sha256,
          manifest,
          this.#signal,
        );
      const local = async (): Promise<string> => ((await this.#isSame(out, manifest)) ? out : fetched());
      const drivers = await this.#drivers(builder, manifest, local);
      this.#spool.appendEvent({ type: 'built', manifest, bundle, cached: true, ...recipe, ...drivers });
      for (const stage of ['build', 'upload'] as const) this.#skip(stage, 'stored already');
      return;
    }
    if (here) this.#skip('build', `${short} is in the cache`);
    else await this.#stage('build', () => this.#build(builder, request, base, inputs));
    await this.#stage('upload', async () => {
      const built = await this.#upload(out, { inputs, patches, pathRule });
      const drivers = await this.#drivers(builder, built.manifest, () => Promise.resolve(out));
      this.#spool.appendEvent({ type: 'built', ...built, cached: here, ...recipe, ...drivers });
    });
  }

  /** Builds the drivers of the lab against the kernel; where it has none, nothing is said of them. */
  async #drivers(
    builder: KernelBuilder,
    manifest: BundleManifest,
    bundle: () => Promise<string>,
  ): Promise<{ drivers?: DriverBuild[] }> {
    const say = (text: string): void => {
      this.#note(`drivers: ${text}`);
      this.#progress(100, text);
    };
    const builds = new DriverBuilds(this.#settings, builder.drivers(), say, this.#signal);
    const drivers = await builds.build({ manifest, bundle });
    return drivers.length === 0 ? {} : { drivers };
  }

  /** Whether drivers find in a folder what the manifest names: another builder's build of the same key may differ. */
  async #isSame(folder: string, { files }: BundleManifest): Promise<boolean> {
    const now = new Date();
    try {
      // No other build removes it now.
      await utimes(folder, now, now);
      for (const name of [DEVEL_FILE, MODULES_FILE])
        if ((await sha256OfFile(join(folder, name))) !== files[name]?.sha256) return false;
      return true;
    } catch {
      return false;
    }
  }

  /** What strangers sent is not even read outside of a sandbox. */
  #requireSandbox({ noSandbox }: KernelBuilder): void {
    const { series, source, configFile, fragment } = this.#work;
    const isSubmitted =
      configFile !== undefined || series.some((each) => typeof each === 'object' && !('mutant' in each));
    const isFarms = source === undefined || 'base' in source;
    if (noSandbox === null || (!isSubmitted && isFarms && fragment === undefined)) return;
    const remedy = 'series that were submitted are not built outside of one; use a builder that has it';
    throw new JobFailure('infrastructure', `${noSandbox}. ${remedy}`);
  }

  /** Says which commit a ref is before anything is built of it: a build that fails later was of that one, too. */
  #fetchSource(builder: KernelBuilder, source: TreeSource): Promise<PreparedSource> {
    return builder.fetchSource(source, (commit) => {
      const what = 'git' in source ? `${source.git.ref} of ${source.git.url}` : 'the source';
      this.#note(`fetch: ${what} is commit ${commit}`);
      this.#spool.appendEvent({ type: 'build-progress', percent: 0, text: `commit ${commit.slice(0, 12)}`, commit });
    });
  }

  #handlers(): BuildScriptHandlers {
    let lines = 0;
    return {
      onProgress: (percent, text) => this.#progress(percent, text),
      onLine: (line, continues) => {
        lines += 1;
        if (lines <= LOG_LINES_MAX) this.#noteError(line, this.#spool.appendLine('build', line, Date.now(), continues));
        else this.#spool.leaveOut('build', { lines: 1, bytes: Buffer.byteLength(line), reason: 'flood' });
      },
      backpressure: this.#spool.backpressure,
    };
  }

  /** Remembers where lines stand that may turn out to be the reason of a failure. */
  #noteError(line: string, seq: number): void {
    if (
      this.#errorLines.size >= ERROR_LINES_MAX ||
      !/error|undefined|multiple def|not found|missing|\*\*\*/i.test(line)
    )
      return;
    if (!this.#errorLines.has(line)) this.#errorLines.set(line, seq);
  }

  /** A failure with the place in the log that its reason was read from. */
  #placed(failure: Error): Error {
    if (!(failure instanceof BuildFailed) || failure.error.class !== 'compile') return failure;
    const { said } = failure.error;
    const logSeq = said == null ? undefined : this.#errorLines.get(said);
    return logSeq === undefined ? failure : new BuildFailed({ ...failure.error, logSeq });
  }

  #bundleFolder(key: string): string {
    return join(this.#settings.cacheDir, 'bundles', key);
  }

  /**
   * What to build; texts and downloads become files.
   * @param otherBase what the bundled series is carried over to; null = it is for the source that is built
   */
  async #seriesArguments(builder: KernelBuilder, otherBase: string | null): Promise<SeriesArgument[]> {
    const series: SeriesArgument[] = [];
    for (const [index, source] of this.#work.series.entries()) {
      if (source === 'bundled' && otherBase !== null) {
        series.push({ kind: 'rebased', file: await this.#believed(builder.rebaseBundled(otherBase)) });
      } else if (source === 'bundled') {
        series.push({ kind: 'bundled' });
      } else if ('mutant' in source) {
        series.push({ kind: 'mutant', file: this.#mutantFile(source.mutant) });
      } else {
        const name = `${String(index + 1).padStart(2, '0')}-series.mbox`;
        const file = join(builder.seriesFolder, name);
        if ('mbox' in source) await writeFile(file, source.mbox);
        else await this.#settings.artifacts.download(source.artifact, file, this.#signal, SERIES_MAX_BYTES);
        await chmod(file, 0o644);
        const folder = name.slice(0, -'.mbox'.length);
        const mails = await builder.readMails(name, folder);
        for (const line of mails.leftOut) this.#note(`series: left out ${line}`);
        this.#mails.push(mails);
        series.push({ kind: 'submitted', file: folder });
      }
    }
    return series;
  }

  /** Gets the configuration that was submitted; its name in the folder of series. */
  async #configFile(builder: KernelBuilder, sha256: string): Promise<string> {
    const file = join(builder.seriesFolder, CONFIG_FILE);
    await this.#settings.artifacts.download(sha256, file, this.#signal, CONFIG_FILE_MAX_BYTES);
    await chmod(file, 0o644);
    return CONFIG_FILE;
  }

  #mutantFile(name: string): string {
    for (const extension of ['patch', 'mbox']) {
      const file = `${name}.${extension}`;
      if (existsSync(join(this.#settings.kernelDir, 'mutants', file))) return file;
    }
    throw new JobFailure('request', `there is no mutant "${name}" in kernel/mutants`);
  }

  /** Read before anything of the series runs. What cannot be read is not known: no kernel is lost for it. */
  async #pathRule(builder: KernelBuilder, base: string, patches: string): Promise<PathRule | null> {
    try {
      const rule = await builder.pathRule(base, patches);
      for (const { why } of rule?.changed ?? [])
        this.#note(`fetch: peer paths that depend on it are not predicted: ${why}`);
      return rule;
    } catch (error) {
      this.#signal.throwIfAborted();
      const why = `the rule could not be read: ${messageOf(error)}`.slice(0, 300);
      this.#note(`fetch: no peer path is predicted: ${why}`);
      return { hostBridges: [], changed: [{ what: 'path', why }] };
    }
  }

  /** Builds into the folder of the bundle's key. */
  async #build(builder: KernelBuilder, request: KernelRequest, base: string, inputs: ExpectedBundle): Promise<void> {
    const start = { series: [], config: request.config, source: null, domain: null };
    // Of another tree the farm keeps no objects but those in the compiler cache.
    if (
      request.source === null &&
      !isTrusted(request) &&
      (await builder.startsFromNothing(request.config, inputs.base.sha256))
    ) {
      // Once for each base and configuration: what a submitted series changes is all that is compiled then.
      this.#note('build: no tree of this configuration was built yet; building the untouched base first');
      const { inputs: ofBase } = await this.#believed(builder.inputs(start, base));
      await this.#buildOne(builder, start, base, ofBase);
    }
    await this.#buildOne(builder, request, base, inputs);
  }

  async #buildOne(builder: KernelBuilder, request: KernelRequest, base: string, inputs: ExpectedBundle): Promise<void> {
    const made = await this.#believed(builder.build(request, base));
    await checkBuiltBundle(made, inputs);
    const out = this.#bundleFolder(inputs.key);
    await mkdir(join(this.#settings.cacheDir, 'bundles'), { recursive: true });
    await takeOver(made);
    // Another build of the same key may have been faster.
    if (!existsSync(out)) await rename(made, out);
  }

  #recipe(): { recipe?: string } {
    try {
      return { recipe: readRecipe(this.#settings.kernelDir) };
    } catch (error) {
      this.#note(`build: the recipe is not known, so that estimates will not find this kernel: ${messageOf(error)}`);
      return {};
    }
  }

  async #upload(
    out: string,
    { inputs, patches, pathRule }: { inputs: ExpectedBundle; patches: string; pathRule: PathRule | null },
  ): Promise<{ manifest: BundleManifest; bundle: { sha256: string; sizeBytes: number } }> {
    const now = new Date();
    await utimes(out, now, now);
    await trimBuiltBundles(join(this.#settings.cacheDir, 'bundles'));
    // Taken apart otherwise, the same patches have other names: another build may have put it here.
    const checked = await checkBuiltBundle(out, inputs, { anyNames: true });
    // What the build itself says of it counts for nothing.
    const manifest: BundleManifest = await putPathRule(out, checked, pathRule, this.#folder);
    const files = Object.keys(manifest.files).sort();
    const tar = join(this.#folder, 'bundle.tar');
    // The same bundle gives the same bytes on every builder.
    await runTool('tar', [
      '-cf',
      tar,
      '-C',
      out,
      '--sort=name',
      '--mtime=@0',
      '--owner=0',
      '--group=0',
      '--numeric-owner',
      '--mode=u+rwX,go+rX,go-w',
      '--format=ustar',
      'manifest.json',
      ...files.filter((path) => path !== 'manifest.json'),
    ]);
    const sha256 = await sha256OfFile(tar);
    const { size } = await stat(tar);
    const at = performance.now();
    await this.#settings.artifacts.upload(sha256, tar, size, this.#signal);
    this.#note(`upload: ${formatBytes(size)} in ${formatSeconds(performance.now() - at)}, sha256 ${sha256}`);
    await this.#keepPatches(
      patches,
      manifest.series.map((patch) => patch.sha256),
    );
    return { manifest, bundle: { sha256, sizeBytes: size } };
  }

  /** Stores the text of patches for people to read. A kernel is no worse without it, so trouble is only noted. */
  async #keepPatches(folder: string, wanted: readonly string[]): Promise<void> {
    if (wanted.length === 0) return;
    try {
      const patches = await patchesIn(folder);
      const count = await uploadPatches(this.#settings.artifacts, patches, wanted, this.#signal);
      this.#note(`patches: the text of ${count} of ${wanted.length} was stored`);
    } catch (error) {
      this.#signal.throwIfAborted();
      this.#note(`patches: their text was not stored: ${messageOf(error)}`);
    }
  }

  /** Turns a script's failure into the attempt's. */
  async #believed<T>(step: Promise<T>): Promise<T> {
    try {
      return await step;
    } catch (error) {
      throw error instanceof ScriptFailed ? this.#placed(withHints(buildFailureOf(error), this.#unmet)) : error;
    }
  }

  /** At most one a second, and only when something moved by a percent. */
  #progress(percent: number, text: string): void {
    const now = performance.now();
    const moved = Math.abs(percent - this.#lastPercent) >= 1 || percent === 100;
    if (!moved || (now - this.#lastProgressAt < 1_000 && percent !== 100)) return;
    this.#lastPercent = percent;
    this.#lastProgressAt = now;
    this.#spool.appendEvent({ type: 'build-progress', percent, text });
  }

  async #stage<T>(stage: AnyStage, work: () => Promise<T>): Promise<T> {
    this.#spool.updateRecord({ stage });
    this.#spool.appendEvent({ type: 'stage', stage, status: 'started', detail: null });
    const at = performance.now();
    try {
      const value = await work();
      const detail = `done in ${formatSeconds(performance.now() - at)}`;
      this.#note(`${stage}: ${detail}`);
      this.#spool.appendEvent({ type: 'stage', stage, status: 'passed', detail });
      return value;
    } catch (error) {
      const cause: unknown = this.#signal.aborted ? this.#signal.reason : error;
      if (cause instanceof AgentStopping) throw cause;
      const { message } = failureOf(cause, stage);
      this.#note(`${stage}: failed: ${message}`);
      this.#spool.appendEvent({ type: 'stage', stage, status: 'failed', detail: message.slice(0, 2000) });
      throw cause;
    }
  }

  #skip(stage: AnyStage, detail: string): void {
    this.#spool.appendEvent({ type: 'stage', stage, status: 'skipped', detail });
  }

  #note(text: string): void {
    for (const line of text.split('\n')) this.#spool.appendLine('agent', line);
  }
}

/** A whole build attempt up to its `finished` event. Rejects only with AgentStopping. */
export async function runBuildJob(
  settings: BuildSettings,
  assignment: Assignment,
  work: BuildWork,
  spool: AttemptSpool,
  signal: AbortSignal,
): Promise<void> {
  spool.appendLine('agent', `build "${work.buildName}", attempt ${assignment.attemptId}`);
  const parent = join(settings.cacheDir, 'agent', 'builds');
  const folder = await makeScratchFolder(parent);
  let failure: Failure | null = null;
  try {
    await removeLeftFolders(parent).catch((error: unknown) =>
      spool.appendLine('agent', `build: folders of earlier builds cannot be removed: ${messageOf(error)}`),
    );
    await new BuildJob(settings, work, spool, signal, folder).run();
  } catch (error) {
    if (error instanceof AgentStopping) throw error;
    if (error instanceof BuildFailed) spool.appendEvent({ type: 'build-failed', error: error.error });
    failure = failureOf(error, spool.record.stage);
  } finally {
    await removeScratch(folder);
  }
  spool.appendEvent({ type: 'finished', failure, restored: true, lineCounts: spool.lineCounts() });
}
