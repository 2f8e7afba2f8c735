import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Assignment,
  type BuildError,
  BundleManifest,
  Sha256,
  type Work,
  type AnyStage,
  describeBuildError,
  isBundlePath,
} from '@peerlab/contracts';
import type { AttemptSpool } from '../spool/attempt-spool.js';
import { formatBytes, formatSeconds } from '../timing.js';
import { messageOf } from '../journal.js';
import type { Artifacts } from './artifacts.js';
import { runBuildScript } from './build-script.js';
import { runTar, sha256OfFile } from './bundle-cache.js';
import { AgentStopping, type Failure, JobFailure, failureOf } from './failure.js';
import { splitSeries, uploadPatches } from './series-patches.js';

export type BuildWork = Extract<Work, { kind: 'build' }>;

export interface BuildSettings {
  kernelDir: string;
  cacheDir: string;
  artifacts: Artifacts;
}

/** The script's word for a request that makes no sense, such as an unknown configuration. */
const EXIT_USAGE = 2;

/** A failure that the build script described. */
class BuildFailed extends JobFailure {
  constructor(readonly error: BuildError) {
    super(error.class === 'infrastructure' ? 'infrastructure' : 'build', describeBuildError(error));
  }
}

/** One build attempt: key, look-up, build, upload. */
class BuildJob {
  private lastPercent = -1;
  private lastProgressAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly settings: BuildSettings,
    private readonly work: BuildWork,
    private readonly spool: AttemptSpool,
    private readonly signal: AbortSignal,
    private readonly folder: string,
  ) {}

  async run(): Promise<void> {
    const inputs = await this.stage('fetch', async () => {
      const series = await this.seriesArguments();
      const key = await this.contentKey(series);
      return { series, key, stored: await this.settings.artifacts.findBundle(key, this.signal) };
    });
    if (inputs.stored !== null) {
      this.note(`build: the controller holds bundle ${inputs.key.slice(0, 12)}… already`);
      const { manifest, bundle, missingPatches } = inputs.stored;
      await this.keepPatches(inputs.series, missingPatches);
      this.spool.appendEvent({ type: 'built', manifest, bundle, cached: true });
      for (const stage of ['build', 'upload'] as const) this.skip(stage, 'stored already');
      return;
    }
    const out = join(this.settings.cacheDir, 'bundles', inputs.key);
    const here = existsSync(join(out, 'manifest.json'));
    if (here) this.skip('build', `bundle ${inputs.key.slice(0, 12)}… is in the cache`);
    else await this.stage('build', () => this.build(inputs.series, out));
    await this.stage('upload', () => this.upload(out, inputs.key, inputs.series, here));
  }

  /** `--series` arguments; texts and downloads become files. */
  private async seriesArguments(): Promise<string[]> {
    const args: string[] = [];
    for (const [index, source] of this.work.series.entries()) {
      const file = join(this.folder, `${String(index + 1).padStart(2, '0')}-series.mbox`);
      if (source === 'bundled') {
        args.push('--series', 'bundled');
      } else if ('mutant' in source) {
        args.push('--series', this.mutantPath(source.mutant));
      } else if ('mbox' in source) {
        await writeFile(file, source.mbox);
        args.push('--series', file);
      } else {
        await this.settings.artifacts.download(source.artifact, file, this.signal);
        args.push('--series', file);
      }
    }
    return args.length === 0 ? ['--series', 'none'] : args;
  }

  private mutantPath(name: string): string {
    for (const extension of ['patch', 'mbox']) {
      const path = join(this.settings.kernelDir, 'mutants', `${name}.${extension}`);
      if (existsSync(path)) return path;
    }
    throw new JobFailure('request', `there is no mutant "${name}" in kernel/mutants`);
  }

  private async contentKey(series: readonly string[]): Promise<string> {
    const { said } = await this.script(['--key', ...series]);
    const key = said.map((line) => line.trim()).findLast((line) => Sha256.safeParse(line).success);
    if (key === undefined) {
      throw new JobFailure('harness', `build-bundle.sh --key printed no key: ${said.at(-1) ?? 'nothing'}`);
    }
    return key;
  }

  private async build(series: readonly string[], out: string): Promise<void> {
    await mkdir(join(this.settings.cacheDir, 'bundles'), { recursive: true });
    await this.script(['--out', out, ...series]);
    if (!existsSync(join(out, 'manifest.json'))) {
      throw new JobFailure('harness', 'build-bundle.sh ended well but left no manifest.json');
    }
  }

  private async upload(out: string, key: string, series: readonly string[], cached: boolean): Promise<void> {
    const manifest = BundleManifest.parse(JSON.parse(await readFile(join(out, 'manifest.json'), 'utf8')));
    if (manifest.key !== key) {
      throw new JobFailure('harness', `the bundle in ${out} has key ${manifest.key}, expected ${key}`);
    }
    const files = Object.keys(manifest.files).sort();
    const outside = files.find((path) => !isBundlePath(path));
    if (outside !== undefined)
      throw new JobFailure('harness', `the manifest names a file outside the bundle: ${outside}`);
    const tar = join(this.folder, 'bundle.tar');
    // The same bundle gives the same bytes, whoever packs it.
    await runTar([
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
    await this.settings.artifacts.upload(sha256, tar, size, this.signal);
    this.note(`upload: ${formatBytes(size)} in ${formatSeconds(performance.now() - at)}, sha256 ${sha256}`);
    await this.keepPatches(
      series,
      manifest.series.map((patch) => patch.sha256),
    );
    this.spool.appendEvent({ type: 'built', manifest, bundle: { sha256, sizeBytes: size }, cached });
  }

  /** Stores the text of patches for people to read. A kernel is no worse without it, so trouble is only noted. */
  private async keepPatches(series: readonly string[], wanted: readonly string[]): Promise<void> {
    if (wanted.length === 0) return;
    try {
      const values = series.filter((argument) => argument !== '--series');
      const patches = await splitSeries(this.settings.kernelDir, this.folder, values, this.signal);
      const count = await uploadPatches(this.settings.artifacts, patches, wanted, this.signal);
      this.note(`patches: the text of ${count} of ${wanted.length} was stored`);
    } catch (error) {
      this.signal.throwIfAborted();
      this.note(`patches: their text was not stored: ${messageOf(error)}`);
    }
  }

  private async script(args: readonly string[]): Promise<{ said: string[] }> {
    const path = join(this.settings.kernelDir, 'scripts', 'build-bundle.sh');
    const all = ['--cache', this.settings.cacheDir, '--config', this.work.config, ...args];
    const handlers = {
      onProgress: (percent: number, text: string) => this.progress(percent, text),
      onLine: (line: string, continues: boolean) => {
        this.spool.appendLine('build', line, Date.now(), continues);
      },
      flow: this.spool.flow,
    };
    const end = await runBuildScript(path, all, handlers, this.signal);
    if (end.error !== null) throw new BuildFailed(end.error);
    if (end.code !== 0) {
      const detail = `build-bundle.sh exited with ${end.code ?? 'a signal'}: ${end.lastWords ?? end.said.at(-1) ?? 'no output'}`;
      if (end.code === EXIT_USAGE) throw new JobFailure('request', detail);
      throw new BuildFailed({ class: 'infrastructure', detail });
    }
    return { said: end.said };
  }

  /** At most one a second, and only when something moved by a percent. */
  private progress(percent: number, text: string): void {
    const now = performance.now();
    const moved = Math.abs(percent - this.lastPercent) >= 1 || percent === 100;
    if (!moved || (now - this.lastProgressAt < 1_000 && percent !== 100)) return;
    this.lastPercent = percent;
    this.lastProgressAt = now;
    this.spool.appendEvent({ type: 'build-progress', percent, text });
  }

  private async stage<T>(stage: AnyStage, work: () => Promise<T>): Promise<T> {
    this.spool.remember({ stage });
    this.spool.appendEvent({ type: 'stage', stage, status: 'started', detail: null });
    const at = performance.now();
    try {
      const value = await work();
      const detail = `done in ${formatSeconds(performance.now() - at)}`;
      this.note(`${stage}: ${detail}`);
      this.spool.appendEvent({ type: 'stage', stage, status: 'passed', detail });
      return value;
    } catch (error) {
      const cause: unknown = this.signal.aborted ? this.signal.reason : error;
      if (cause instanceof AgentStopping) throw cause;
      const { message } = failureOf(cause, stage);
      this.note(`${stage}: failed: ${message}`);
      this.spool.appendEvent({ type: 'stage', stage, status: 'failed', detail: message.slice(0, 2000) });
      throw cause;
    }
  }

  private skip(stage: AnyStage, detail: string): void {
    this.spool.appendEvent({ type: 'stage', stage, status: 'skipped', detail });
  }

  private note(text: string): void {
    for (const line of text.split('\n')) this.spool.appendLine('agent', line);
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
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'b-'));
  let failure: Failure | null = null;
  try {
    await new BuildJob(settings, work, spool, signal, folder).run();
  } catch (error) {
    if (error instanceof AgentStopping) throw error;
    if (error instanceof BuildFailed) spool.appendEvent({ type: 'build-failed', error: error.error });
    failure = failureOf(error, spool.memory.stage);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  spool.appendEvent({ type: 'finished', failure, restored: true, lineCounts: spool.lineCounts() });
}
