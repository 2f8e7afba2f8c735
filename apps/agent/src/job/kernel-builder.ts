import { chownSync, existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PathRule } from '@peerlab/contracts';
import { type BuildAccount, buildAccount } from '../sandbox/account.js';
import { whyNoSandbox } from '../sandbox/probe.js';
import { type Overlay, type Sandbox, sandboxCommand } from '../sandbox/sandbox.js';
import { seccompFilter } from '../sandbox/seccomp.js';
import { type BuildLimits, sandboxLimits } from './build-limits.js';
import { type BuildScriptEnd, type BuildScriptHandlers, runBuildScript } from './build-script.js';
import { ExpectedBundle } from './bundle-check.js';
import { messageOf } from '../error-message.js';
import { RULE_SCRIPT, ruleIn } from '../path-rule/index.js';
import { BaseKernels } from './base-kernels.js';
import { BuilderCache } from './builder-cache.js';
import { copyDrivers } from './copy-drivers.js';
import { DriverBuilder } from './driver-builder.js';
import { JobFailure } from './failure.js';
import { KernelSources, type PreparedSource, type SourceSettings, type TreeSource } from '../source/index.js';
import { type SeriesMails, takeMails } from './series-mails.js';
import { ScriptFailed } from './script-failed.js';
import { runTool } from './system-tool.js';
import { ToolSandbox } from './tool-sandbox.js';

/** What to build. Paths are those that the build sees. */
export interface KernelRequest {
  series: readonly SeriesArgument[];
  config: string;
  /** The tree to build from; null = a base of the farm. */
  source: PreparedSource | null;
  /** Name of a file in the folder of series: the configuration to start from instead of `config`. */
  configFile?: string | undefined;
  /** Settings on top of the configuration, as lines of a .config. */
  fragment?: string | undefined;
  /** Names who submitted it, for a compiler cache of their own; null keeps nothing. */
  domain: string | null;
  /** Targets of tools/testing/selftests that are built too. */
  kselftests?: readonly string[];
  /** How many mutants of the series the kernel carries at most; absent = none. */
  mutants?: number | undefined;
}

/**
 * One `--series` of the script. Trusted is what lies in this agent's own kernel/ folder; what a person or
 * a program submitted is not.
 */
export type SeriesArgument =
  | { kind: 'bundled' }
  /** The bundled series as it is on another base: name of a folder in the folder `series` of the attempt. */
  | { kind: 'rebased'; file: string }
  | { kind: 'mutant'; file: string }
  /** Name of a folder of patches in the folder `series` of the attempt. */
  | { kind: 'submitted'; file: string };

export const isTrusted = ({ series, source, configFile, fragment }: KernelRequest): boolean =>
  source === null &&
  configFile === undefined &&
  fragment === undefined &&
  series.every((each) => each.kind !== 'submitted');

export interface KernelBuilderSettings extends SourceSettings {
  kernelDir: string;
  limits: BuildLimits;
}

/** A folder of the attempt that a script may write into, and where it sees it. */
interface Writable {
  name: string;
  to: string;
}

/** How a script is run. */
interface Step {
  /**
   * Of the shared cache it writes into it, sees it as an overlay that is thrown away, or sees an empty folder in its place:
   * then it waits for no other build.
   */
  cache: 'writes' | 'overlay' | 'nothing';
  domain: string | null;
  writable: Writable;
}

/** Where the sandbox shows things. */
const INSIDE = {
  cache: '/cache',
  kernel: '/farm/kernel',
  series: '/series',
  patches: '/patches',
  out: '/out',
  base: '/base',
  tree: '/tree',
  tmp: '/tmp',
};

/** A thousand mails take some seconds. */
const READ_MAILS_MS = 10 * 60_000;

/** Two files, and those of up to a thousand patches that change them. */
const READ_RULE_MS = 5 * 60_000;

/** Settings that were submitted, beside the series. */
const FRAGMENT_FILE = 'fragment.config';

/** Parts of the repository's kernel/ folder that a build reads. */
const KERNEL_PARTS = ['base.json', 'config', 'module', 'mutants', 'patches', 'scripts', 'selftests'];
/** What other bases take. */
const OPTIONAL_PARTS = ['rebased'];

/** Runs the scripts of kernel/scripts for one attempt, each in a sandbox. */
export class KernelBuilder {
  #steps = 0;
  /** Out-of-tree drivers that were not taken, and why. */
  #wrongDrivers: ReadonlyMap<string, string> = new Map();

  readonly #settings: KernelBuilderSettings;
  readonly #account: BuildAccount | null;
  readonly #cache: BuilderCache;
  /** Folder of this attempt alone. */
  readonly #folder: string;
  readonly #handlers: BuildScriptHandlers;
  readonly #signal: AbortSignal;

  private constructor(
    settings: KernelBuilderSettings,
    account: BuildAccount | null,
    cache: BuilderCache,
    folder: string,
    /** Why there is no sandbox here; null when there is one. */
    readonly noSandbox: string | null,
    handlers: BuildScriptHandlers,
    signal: AbortSignal,
  ) {
    this.#settings = settings;
    this.#account = account;
    this.#cache = cache;
    this.#folder = folder;
    this.#handlers = handlers;
    this.#signal = signal;
  }

  /** @param folder an empty folder for this attempt below the cache folder */
  static async open(
    settings: KernelBuilderSettings,
    folder: string,
    handlers: BuildScriptHandlers,
    signal: AbortSignal,
  ): Promise<KernelBuilder> {
    const account = buildAccount();
    const cache = new BuilderCache(settings.cacheDir, account);
    const noSandbox = await whyNoSandbox(folder, account);
    const builder = new KernelBuilder(settings, account, cache, folder, noSandbox, handlers, signal);
    await mkdir(join(folder, 'series'));
    // A umask of 0077 would keep the build's account out.
    await chmod(join(folder, 'series'), 0o755);
    await builder.#copyKernelFolder();
    await writeFile(join(folder, 'seccomp'), seccompFilter());
    return builder;
  }

  /** Where files of submitted series belong, each readable for all. */
  get seriesFolder(): string {
    return join(this.#folder, 'series');
  }

  /**
   * Fetches a base kernel where it is missing.
   * @param name one of the others of base.json; null = the farm's base
   * @returns its folder
   */
  async fetchBase(name: string | null): Promise<string> {
    const base = await this.#bases().fetch(name);
    if (this.noSandbox === null) await this.#cache.prepare();
    return base;
  }

  /**
   * Carries the bundled series over to another base.
   * @param name one of the others of base.json
   * @returns the folder of its patches, in the folder of series
   */
  async rebaseBundled(name: string): Promise<string> {
    const folder = `bundled-${name}`;
    await this.#bases().rebase(name, join(this.seriesFolder, folder));
    return folder;
  }

  #bases(): BaseKernels {
    const cache = this.noSandbox === null ? this.#cache.folder : this.#settings.cacheDir;
    return new BaseKernels(join(this.#folder, 'kernel'), cache, this.#handlers, this.#signal);
  }

  /**
   * Gets a tree of another source; nothing of it runs.
   * @param onCommit told what a ref is as soon as that is known
   */
  async fetchSource(source: TreeSource, onCommit: (commit: string) => void): Promise<PreparedSource> {
    await this.#cache.prepare();
    return new KernelSources(this.#settings, this.#toolSandbox(), this.#folder, this.#signal).prepare(source, onCommit);
  }

  /**
   * Takes an mbox in the folder of series apart, by git itself.
   * @param folder the folder beside it that gets its patches
   */
  async readMails(name: string, folder: string): Promise<SeriesMails> {
    const sandbox = this.#toolSandbox();
    const out = join(this.#folder, `mails-${folder}`);
    await sandbox.ownFolder(out);
    const end = await sandbox.run({
      script: `${INSIDE.kernel}/scripts/split-series.pl --mails "$1" ${INSIDE.out}`,
      arguments: [`${INSIDE.series}/${name}`],
      environment: {},
      readOnly: [
        { from: join(this.#folder, 'kernel'), to: INSIDE.kernel },
        { from: this.seriesFolder, to: INSIDE.series },
      ],
      writable: [{ from: out, to: INSIDE.out }],
      network: false,
      limits: sandboxLimits(this.#settings.limits),
      timeoutMs: READ_MAILS_MS,
      what: `reading ${name}`,
    });
    return takeMails(end, out, join(this.seriesFolder, folder));
  }

  #toolSandbox(): ToolSandbox {
    return new ToolSandbox(this.#account, this.#folder, this.#handlers, this.#signal);
  }

  /**
   * Takes the series apart and computes the content key. Nothing of the series runs.
   * @returns also the folder with the texts of the patches as they will be applied, which the sandbox wrote
   */
  async inputs(request: KernelRequest, base: string): Promise<{ inputs: ExpectedBundle; patches: string }> {
    if (request.fragment !== undefined) {
      const file = join(this.seriesFolder, FRAGMENT_FILE);
      await writeFile(file, `${request.fragment}\n`);
      await chmod(file, 0o644);
    }
    const patches = `patches-${this.#steps + 1}`;
    await this.#ownFolder(patches);
    const end = await this.#script(request, base, ['--key', '--patches', this.#place('patches', patches)], {
      cache: 'nothing',
      domain: null,
      writable: { name: patches, to: INSIDE.patches },
    });
    if (end.inputs === null) {
      throw new JobFailure('harness', `build-bundle.sh --key named no inputs: ${end.outputLines.at(-1) ?? 'nothing'}`);
    }
    return { inputs: parseInputs(end.inputs), patches: join(this.#folder, patches) };
  }

  /**
   * By which rule the kernel decides how DMA travels between two devices, read from its source with the series. Nothing of
   * the series runs. null = the source has none.
   * @param base as for `build`; @param patches the folder that `inputs` told
   * @throws JobFailure, ArchiveError when it cannot be read
   */
  async pathRule(base: string, patches: string): Promise<PathRule | null> {
    const out = await mkdtemp(join(this.#folder, 'rule-'));
    const tree = join(base, 'tree');
    if (this.noSandbox !== null) {
      await runTool('bash', ['-euo', 'pipefail', '-c', RULE_SCRIPT, 'rule', tree, patches, out]);
      return ruleIn(out);
    }
    const sandbox = this.#toolSandbox();
    await sandbox.ownFolder(out);
    const end = await sandbox.run({
      script: RULE_SCRIPT,
      arguments: [INSIDE.base, INSIDE.patches, INSIDE.out],
      environment: {},
      readOnly: [
        { from: tree, to: INSIDE.base },
        { from: patches, to: INSIDE.patches },
      ],
      writable: [{ from: out, to: INSIDE.out }],
      network: false,
      limits: sandboxLimits(this.#settings.limits),
      timeoutMs: READ_RULE_MS,
      what: 'reading the rule for peer paths',
    });
    if (end.code !== 0) throw new JobFailure('harness', end.lastStderrLine ?? 'git said nothing');
    return ruleIn(out);
  }

  /**
   * Builds the kernel. Submitted series get the shared cache as an overlay that is thrown away afterwards;
   * the farm's own build in it, so that the next build starts from there.
   * @returns the folder with what the build says is a bundle. When it was submitted nothing in it can be
   *   believed; nothing that ran in the build is left.
   */
  async build(request: KernelRequest, base: string): Promise<string> {
    const out = `out-${this.#steps + 1}`;
    await this.#ownFolder(out);
    try {
      await this.#script(request, base, ['--out', `${this.#place('out', out)}/bundle`], {
        cache: isTrusted(request) ? 'writes' : 'overlay',
        domain: request.domain,
        writable: { name: out, to: INSIDE.out },
      });
    } finally {
      // A build that fails fills a cache as well as one that does not.
      await this.#cache.trimDomains();
    }
    return join(this.#folder, out, 'bundle');
  }

  /** Builds the lab's out-of-tree drivers against a kernel. */
  drivers(): DriverBuilder {
    const sandbox = this.noSandbox === null ? this.#toolSandbox() : null;
    return new DriverBuilder(
      {
        kernelFolder: join(this.#folder, 'kernel'),
        driversFolder: join(this.#folder, 'drivers'),
        wrong: this.#wrongDrivers,
        folder: this.#folder,
        limits: this.#settings.limits,
      },
      sandbox,
      this.#handlers,
      this.#signal,
    );
  }

  /** Whether a build of this configuration would have to compile everything. */
  async startsFromNothing(config: string, baseSha256: string): Promise<boolean> {
    return this.noSandbox === null && !(await this.#cache.hasBuiltTree(config, baseSha256));
  }

  async #script(request: KernelRequest, base: string, args: readonly string[], as: Step): Promise<BuildScriptEnd> {
    this.#steps += 1;
    const name = 'build-bundle.sh';
    const all = [
      '--cache',
      this.#place('cache'),
      ...(request.source === null
        ? ['--base', as.cache === 'nothing' && this.noSandbox === null ? INSIDE.base : this.#basePath(base)]
        : ['--base', INSIDE.base, '--tree', INSIDE.tree]),
      ...(request.configFile === undefined
        ? ['--config', request.config]
        : ['--config-file', `${INSIDE.series}/${request.configFile}`]),
      // What was built with one submitter's cache is not what another one's key may lead to.
      ...(request.domain === null || isTrusted(request) ? [] : ['--domain', request.domain]),
      ...(request.fragment === undefined ? [] : ['--fragment', `${INSIDE.series}/${FRAGMENT_FILE}`]),
      ...(request.kselftests ?? []).flatMap((target) => ['--kselftest', target]),
      ...(request.mutants === undefined ? [] : ['--mutants', String(request.mutants)]),
      ...args,
      ...this.#seriesArguments(request),
    ];
    if (this.noSandbox !== null) {
      if (!isTrusted(request)) throw new JobFailure('infrastructure', this.noSandbox);
      const script = join(this.#folder, 'kernel', 'scripts', name);
      return this.#ended(
        name,
        await runBuildScript({ command: ['nice', '-n', '10', script, ...all] }, this.#handlers, this.#signal),
        true,
      );
    }
    const from = { source: request.source, base };
    const { sandbox, folders } = await this.#sandbox([`${INSIDE.kernel}/scripts/${name}`, ...all], as, from);
    const command = sandboxCommand(sandbox, this.#account);
    const run = { command, limits: { values: sandbox.limits, folders } };
    return this.#ended(name, await runBuildScript(run, this.#handlers, this.#signal), as.cache === 'writes');
  }

  #ended(script: string, end: BuildScriptEnd, trusted: boolean): BuildScriptEnd {
    if (end.code === 0 && end.error === null && end.exceeded === null) return end;
    throw new ScriptFailed(script, end, trusted);
  }

  async #sandbox(
    command: string[],
    { cache, domain, writable }: Step,
    { source, base }: { source: PreparedSource | null; base: string },
  ): Promise<{ sandbox: Sandbox; folders: string[] }> {
    const own = async (name: string): Promise<string> => {
      await this.#ownFolder(`${name}-${this.#steps}`);
      return at(`${name}-${this.#steps}`);
    };
    const at = (name: string): string => join(this.#folder, name);
    const tmp = await own('tmp');
    const folders = [tmp, at(writable.name)];
    const overlays: Overlay[] = [];
    const overlay = async (from: string, to: string, name: string, kept?: Overlay['kept']): Promise<void> => {
      const changes = await own(`${name}-changes`);
      folders.push(changes, ...(kept === undefined ? [] : [kept.changes]));
      overlays.push({ from, to, changes, scratch: await own(`${name}-scratch`), ...(kept && { kept }) });
    };
    if (cache === 'overlay') {
      await overlay(this.#cache.folder, INSIDE.cache, 'cache');
      if (domain !== null) {
        const kept = await this.#cache.domain(domain);
        await overlay(join(this.#cache.folder, 'ccache'), `${INSIDE.cache}/ccache`, 'ccache', kept);
      }
    }
    const empty = cache === 'nothing' ? [{ from: await own('cache'), to: INSIDE.cache }] : [];
    folders.push(...empty.map(({ from }) => from));
    // A copy of its own for each build, which costs what the build changes.
    if (source !== null && cache !== 'nothing') await overlay(join(source.folder, 'tree'), INSIDE.tree, 'tree');
    const sandbox: Sandbox = {
      command,
      cwd: INSIDE.tmp,
      environment: { HOME: INSIDE.tmp, LC_ALL: 'C.UTF-8' },
      readOnly: [
        { from: at('kernel'), to: INSIDE.kernel },
        { from: at('series'), to: INSIDE.series },
        ...(source !== null || cache === 'nothing' ? [{ from: source?.folder ?? base, to: INSIDE.base }] : []),
      ],
      writable: [
        { from: tmp, to: INSIDE.tmp },
        { from: at(writable.name), to: writable.to },
        ...(cache === 'writes' ? [{ from: this.#cache.folder, to: INSIDE.cache }] : empty),
      ],
      overlays,
      lock: cache === 'nothing' ? null : this.#cache.lock(cache === 'writes'),
      limits: sandboxLimits(this.#settings.limits),
      seccompFile: at('seccomp'),
      ...(source === null ? {} : { keeps: source.lock }),
    };
    return { sandbox, folders };
  }

  #seriesArguments({ series }: KernelRequest): string[] {
    if (series.length === 0) return ['--series', 'none'];
    return series.flatMap((each) => {
      switch (each.kind) {
        case 'bundled':
          return ['--series', 'bundled'];
        case 'mutant':
          return ['--series', `${this.#place('kernel')}/mutants/${each.file}`];
        case 'rebased':
        case 'submitted':
          return ['--series', `${this.#place('series')}/${each.file}`];
      }
    });
  }

  /** A folder as the script sees it. */
  #place(what: keyof typeof INSIDE, name: string = what): string {
    if (this.noSandbox === null) return INSIDE[what];
    return what === 'cache' ? this.#settings.cacheDir : join(this.#folder, name);
  }

  #basePath(base: string): string {
    return this.noSandbox === null ? base.replace(this.#cache.folder, INSIDE.cache) : base;
  }

  /** What is built is what lay there when the attempt began, and other accounts can read it. */
  async #copyKernelFolder(): Promise<void> {
    const to = join(this.#folder, 'kernel');
    await mkdir(to);
    const optional = OPTIONAL_PARTS.filter((part) => existsSync(join(this.#settings.kernelDir, part)));
    for (const part of [...KERNEL_PARTS, ...optional]) {
      // A link would lead to a place that the sandbox does not show.
      await cp(join(this.#settings.kernelDir, part), join(to, part), { recursive: true, dereference: true });
    }
    // Beside it: no build of a kernel sees the drivers.
    const drivers = join(this.#folder, 'drivers');
    this.#wrongDrivers = await copyDrivers(join(this.#settings.kernelDir, 'drivers'), drivers);
    await runTool('chmod', ['-R', 'u=rwX,go=rX', '--', to, drivers]);
  }

  /** A folder that the build may write into. */
  async #ownFolder(name: string): Promise<void> {
    const path = join(this.#folder, name);
    await mkdir(path, { mode: 0o755 });
    await chmod(path, 0o755);
    if (this.#account !== null) chownSync(path, this.#account.uid, this.#account.gid);
  }
}

function parseInputs(text: string): ExpectedBundle {
  try {
    return ExpectedBundle.parse(JSON.parse(text));
  } catch (error) {
    throw new JobFailure('harness', `build-bundle.sh --key printed inputs that cannot be read: ${messageOf(error)}`);
  }
}
