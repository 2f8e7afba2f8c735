import { createHash } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkSource } from '@peerlab/contracts';
import type { Artifacts } from '../job/artifacts.js';
import { JobFailure } from '../job/failure.js';
import type { SandboxLimits, Share } from '../sandbox/sandbox.js';
import type { ToolSandbox } from '../job/tool-sandbox.js';
import { EXPORT, type FetchLimits, GitMirror } from './git-mirror.js';
import type { AllowedRepository } from './repository-credential.js';
import { SourceStore, type StoredSource } from './source-store.js';

/** What a builder needs to get sources. */
export interface SourceSettings {
  cacheDir: string;
  /** Repositories that the operator of this builder allows; no other one is asked. */
  repositories: readonly AllowedRepository[];
  fetchLimits: FetchLimits;
  artifacts: Artifacts;
}

/** A source that somebody names, as opposed to a base of the farm. */
export type TreeSource = Exclude<WorkSource, { base: string }>;

/** A tree to build from. */
export interface PreparedSource extends StoredSource {
  /** Of a git source. */
  commit: string | null;
}

/** Largest tarball, in bytes: a kernel's takes 250 MB, uncompressed 1.6 GB. */
const TARBALL_MAX_BYTES = 2 * 1024 ** 3;
const UNPACK_MS = 20 * 60_000;
const UNPACK: SandboxLimits = {
  memoryBytes: 4 * 1024 ** 3,
  processes: 64,
  diskBytes: 6 * 1024 ** 3,
  files: 400_000,
  cpuSeconds: 1800,
  fileBytes: 1024 ** 3,
};
const VERSION = /^@version ([0-9A-Za-z][0-9A-Za-z.+_-]{0,60})$/;

/** $1 the tarball, with one folder around everything, as kernels are published. */
const UNTAR = 'mkdir /out/tree; tar -x --no-same-owner --strip-components=1 -C /out/tree -f "$1"';
/** Reads the version from the file: no code of the tree may run here. */
const CHECK = `
chmod -R u+rwX,go+rX,go-w /out/tree
cd /out/tree
for file in Makefile Kbuild Kconfig; do
  [ -f "$file" ] && [ ! -L "$file" ] || { echo "it is no Linux source: there is no file $file at its top" >&2; exit 3; }
done
awk -F' *= *' '$1 == "VERSION" { v = $2 } $1 == "PATCHLEVEL" { p = $2 } $1 == "SUBLEVEL" { s = $2 }
  $1 == "EXTRAVERSION" { print "@version " v "." p "." s $2; exit }' Makefile`;
const EXIT_NO_KERNEL = 3;

/** Gets the tree that a build asks for, unless it is there. */
export class KernelSources {
  readonly #settings: SourceSettings;
  readonly #store: SourceStore;
  readonly #sandbox: ToolSandbox;
  /** Folder of this attempt alone. */
  readonly #folder: string;
  readonly #signal: AbortSignal;

  constructor(settings: SourceSettings, sandbox: ToolSandbox, folder: string, signal: AbortSignal) {
    this.#settings = settings;
    this.#store = new SourceStore(settings.cacheDir);
    this.#sandbox = sandbox;
    this.#folder = folder;
    this.#signal = signal;
  }

  /**
   * @param onCommit told what a ref is as soon as that is known
   * @throws JobFailure `request` for what cannot be built, `infrastructure` for what could not be reached
   */
  async prepare(source: TreeSource, onCommit: (commit: string) => void): Promise<PreparedSource> {
    return 'git' in source
      ? this.#fromGit(source.git, onCommit)
      : { ...(await this.#fromTarball(source.tarball)), commit: null };
  }

  async #fromGit(git: { url: string; ref: string }, onCommit: (commit: string) => void): Promise<PreparedSource> {
    const { repositories, fetchLimits, cacheDir } = this.#settings;
    const repository = repositories.find(({ url }) => url === git.url);
    if (repository === undefined) {
      const remedy = 'name it under repositories in the configuration of the agent';
      throw new JobFailure('request', `this builder does not fetch from ${git.url}: ${remedy}`);
    }
    const mirror = new GitMirror(join(cacheDir, 'agent', 'mirrors'), repository, this.#sandbox, fetchLimits);
    const { commit, tree } = await mirror.fetch(git);
    onCommit(commit);
    const key = createHash('sha256').update(`git-tree ${tree}\n`).digest('hex');
    const stored =
      (await this.#store.find(key)) ??
      (await this.#unpack(key, `${commit} of ${git.url}`, EXPORT, commit, mirror.reading));
    return { ...stored, commit };
  }

  async #fromTarball(sha256: string): Promise<StoredSource> {
    const known = await this.#store.find(sha256);
    if (known !== null) return known;
    const file = join(this.#folder, 'source.tar');
    await this.#settings.artifacts.download(sha256, file, this.#signal, TARBALL_MAX_BYTES);
    await chmod(file, 0o644);
    const reading = { readOnly: [{ from: file, to: '/source.tar' }], environment: {} };
    return this.#unpack(sha256, `the tarball ${sha256}`, UNTAR, '/source.tar', reading);
  }

  async #unpack(
    key: string,
    name: string,
    script: string,
    argument: string,
    reading: { readOnly: Share[]; environment: Readonly<Record<string, string>> },
  ): Promise<StoredSource> {
    const out = join(this.#folder, 'source');
    await this.#sandbox.ownFolder(out);
    const end = await this.#sandbox.run({
      script: `${script}\n${CHECK}`,
      arguments: [argument],
      ...reading,
      writable: [{ from: out, to: '/out' }],
      network: false,
      limits: UNPACK,
      timeoutMs: UNPACK_MS,
      what: `unpacking ${name}`,
    });
    const version = VERSION.exec(end.outputLines.at(-1) ?? '')?.[1];
    if (end.code === 0 && version !== undefined) return this.#store.add(key, out, version);
    const said = end.lastStderrLine ?? 'its Makefile names no version';
    const cause = end.code === 0 || end.code === EXIT_NO_KERNEL || script === UNTAR ? 'request' : 'infrastructure';
    throw new JobFailure(cause, `${name} cannot be built: ${said}`);
  }
}
