import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type GitSource, isCommit } from '@peerlab/contracts';
import { JobFailure } from '../job/failure.js';
import { removeScratch } from '../job/builder-cache.js';
import { usageOf } from '../sandbox/watch.js';
import type { SandboxLimits, Share } from '../sandbox/sandbox.js';
import type { ToolSandbox } from '../job/tool-sandbox.js';
import { type AllowedRepository, SET_AUTH, withCredential } from './repository-credential.js';

/** A tree of a repository that the mirror holds. */
export interface FetchedCommit {
  commit: string;
  /** Id of its tree object: what is built, without history. */
  tree: string;
}

/** What a fetch may use. */
export interface FetchLimits {
  /** Of one mirror, in MiB. */
  mirrorMiB: number;
  /** Of one fetch. */
  seconds: number;
}

/** A question to a server that has no long answer. */
const LOOK_UP_MS = 60_000;
/** git itself: delta resolution of a whole kernel tree takes a few hundred MiB and some minutes of processor time. */
const PROCESSES = 256;
const MEMORY_BYTES = 4 * 1024 ** 3;
const CPU_SECONDS = 3600;
const FILES = 200_000;
const MIB = 1024 ** 2;

/** Where the sandbox shows the mirror. */
const MIRROR = '/mirror';

/**
 * Nothing of this machine's configuration, no prompt, no other protocol, no redirect to another host. A bare repository
 * without a checkout runs no hook of the tree, no filter and no submodule.
 */
const GIT: Readonly<Record<string, string>> = {
  GIT_DIR: `${MIRROR}/repo.git`,
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: 'false',
  GIT_ALLOW_PROTOCOL: 'https:http:git',
  GIT_PROTOCOL_FROM_USER: '0',
  GIT_TEMPLATE_DIR: '',
  GIT_OPTIONAL_LOCKS: '0',
};

const OPTIONS = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'credential.helper=',
  'fetch.fsckObjects=true',
  'fetch.unpackLimit=1',
  'fetch.recurseSubmodules=false',
  'gc.auto=0',
  'http.followRedirects=false',
  'http.lowSpeedLimit=1000',
  'http.lowSpeedTime=60',
  'pack.threads=2',
  'protocol.version=2',
]
  .map((option) => `-c ${option}`)
  .join(' ');

/** $1 the URL, then what refs are looked for. */
const LOOK_UP = `${SET_AUTH}
cd ${MIRROR}; unset GIT_DIR; git ${OPTIONS} "\${auth[@]}" ls-remote --quiet -- "$@"`;

/** Files are exported as they are stored, whatever the .gitattributes of a tree say. */
const AS_STORED = '* -export-ignore -export-subst -text -eol -ident -filter -working-tree-encoding';

/**
 * $1 the URL, $2 a full ref or a commit, $3 the commit that it should be. What a mirror has is not fetched again. Prints the
 * commit that was fetched, and its tree.
 */
const FETCH = `${SET_AUTH}
exec 5>${MIRROR}/lock; flock 5
[ -f "$GIT_DIR/HEAD" ] || git init --quiet --bare
mkdir -p "$GIT_DIR/info"
echo '${AS_STORED}' >"$GIT_DIR/info/attributes"
commit=$3
if ! git rev-parse --quiet --verify "refs/peerlab/$commit^{commit}" >/dev/null; then
  git ${OPTIONS} "\${auth[@]}" fetch --quiet --depth=1 --no-tags --no-write-fetch-head --no-recurse-submodules --force -- "$1" "$2:refs/peerlab/incoming"
  commit=$(git rev-parse --verify "refs/peerlab/incoming^{commit}")
  git update-ref "refs/peerlab/$commit" "$commit"
fi
echo "@commit $commit $(git rev-parse --verify "refs/peerlab/$commit^{tree}")"`;

/**
 * $1 the commit; writes its files below /out/tree. Submodules are empty folders, files of LFS are their pointers.
 */
export const EXPORT = `
mkdir /out/tree
git archive --format=tar "$1" | tar -x --no-same-owner -C /out/tree -f -`;

/** One bare mirror per repository, in which commits of depth 1 gather. Only the fetch itself sees it. */
export class GitMirror {
  readonly folder: string;
  readonly #url: string;
  readonly #repository: AllowedRepository;
  readonly #sandbox: ToolSandbox;
  readonly #limits: FetchLimits;

  /** @param mirrors the folder of all mirrors */
  constructor(mirrors: string, repository: AllowedRepository, sandbox: ToolSandbox, limits: FetchLimits) {
    this.folder = join(mirrors, createHash('sha256').update(repository.url).digest('hex').slice(0, 32));
    this.#url = repository.url;
    this.#repository = repository;
    this.#sandbox = sandbox;
    this.#limits = limits;
  }

  /**
   * Fetches what a ref is now. A commit that was fetched before costs no connection, a branch that has not moved one
   * question.
   * @throws JobFailure `request` when the repository has no such ref, `infrastructure` when it cannot be reached
   */
  async fetch({ ref }: Pick<GitSource, 'ref'>): Promise<FetchedCommit> {
    await this.#prepare();
    const { name, commit } = isCommit(ref) ? { name: ref, commit: ref } : await this.#lookUp(ref);
    const end = await this.#run(FETCH, [this.#url, name, commit], this.#limits.seconds * 1000);
    const [, found, tree] = end.outputLines.at(-1)?.split(' ') ?? [];
    if (end.code === 0 && found !== undefined && tree !== undefined && isCommit(found) && isCommit(tree)) {
      return { commit: found, tree };
    }
    const said = end.lastStderrLine ?? `git exited with ${end.code ?? 'a signal'}`;
    if (isCommit(ref) && /not our ref|unadvertised object|no such remote ref|couldn't find remote ref/i.test(said)) {
      throw new JobFailure('request', `the repository ${this.#url} has no commit ${ref}, or does not give it: ${said}`);
    }
    throw new JobFailure(
      'infrastructure',
      `${name} of ${this.#url} could not be fetched: ${said}${this.#remedy(said)}`,
    );
  }

  /** The shares of a step that reads the mirror, and its environment. */
  get reading(): { readOnly: { from: string; to: string }[]; environment: Readonly<Record<string, string>> } {
    return { readOnly: [{ from: this.folder, to: MIRROR }], environment: GIT };
  }

  /** A mirror that grew to half of its limit begins anew: what is still needed is fetched again. */
  async #prepare(): Promise<void> {
    const usage = await usageOf([this.folder]).catch(() => ({ bytes: 0 }));
    if (usage.bytes > (this.#limits.mirrorMiB * MIB) / 2) await removeScratch(this.folder);
    await this.#sandbox.ownFolder(this.folder);
  }

  /** What a short name means: a branch or a tag, and never one where there are both. */
  async #lookUp(ref: string): Promise<{ name: string; commit: string }> {
    const names = ref.startsWith('refs/') ? [ref] : [`refs/heads/${ref}`, `refs/tags/${ref}`];
    const end = await this.#run(LOOK_UP, [this.#url, ...names.flatMap((name) => [name, `${name}^{}`])], LOOK_UP_MS);
    if (end.code !== 0) {
      const said = end.lastStderrLine ?? `git exited with ${end.code ?? 'a signal'}`;
      throw new JobFailure(
        'infrastructure',
        `the repository ${this.#url} cannot be read: ${said}${this.#remedy(said)}`,
      );
    }
    const found = new Map(end.outputLines.map((line) => line.split('\t')).map(([id = '', name = '']) => [name, id]));
    const tips = names.flatMap((name) => {
      const commit = found.get(`${name}^{}`) ?? found.get(name);
      return commit === undefined || !isCommit(commit) ? [] : [{ name, commit }];
    });
    const [first, second] = tips;
    if (first === undefined) {
      const what = ref.startsWith('refs/') ? `ref ${ref}` : `branch or tag "${ref}"`;
      throw new JobFailure('request', `the repository ${this.#url} has no ${what}`);
    }
    if (second !== undefined && second.commit !== first.commit) {
      const choice = tips.map(({ name }) => name).join(' or ');
      throw new JobFailure('request', `"${ref}" is a branch and a tag of ${this.#url}; say which: ${choice}`);
    }
    return first;
  }

  /** What to do about a repository that wants to know who asks. */
  #remedy(said: string): string {
    if (!/could not read Username|Authentication failed|requested URL returned error: 40[13]/.test(said)) return '';
    return this.#repository.credentialFile === null
      ? '; give the builder a credentialFile for it'
      : '; it refuses what the credentialFile of the builder has';
  }

  #run(script: string, args: readonly string[], timeoutMs: number): ReturnType<ToolSandbox['run']> {
    const limits: SandboxLimits = {
      memoryBytes: MEMORY_BYTES,
      processes: PROCESSES,
      diskBytes: this.#limits.mirrorMiB * MIB,
      files: FILES,
      cpuSeconds: CPU_SECONDS,
      fileBytes: this.#limits.mirrorMiB * MIB,
    };
    const run = (readOnly: Share[]): ReturnType<ToolSandbox['run']> =>
      this.#sandbox.run({
        script,
        arguments: args,
        environment: GIT,
        readOnly,
        writable: [{ from: this.folder, to: MIRROR }],
        network: true,
        limits,
        timeoutMs,
        what: `fetching from ${this.#url}`,
      });
    return withCredential(this.#repository, this.#sandbox.folder, this.#sandbox.account, run);
  }
}
