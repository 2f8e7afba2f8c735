import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { orIfAbsent, runProgram } from '@peerlab/runtime';
import type { BuildAccount } from '../sandbox/account.js';
import type { Overlay, SandboxLock } from '../sandbox/sandbox.js';
import { usageOf } from '../sandbox/watch.js';
import { runTool } from './system-tool.js';

/** Compiler caches of submitters that are kept, and how large one may be: a kernel's objects take 300 MiB. */
const KEPT_DOMAINS = 8;
const DOMAIN_MAX_BYTES = 2 * 1024 ** 3;

/**
 * What builds share: pristine kernel sources, the trees that the farm's own kernels were built in, and
 * the compiler cache. Only trusted builds write here, one at a time; all others see it through an overlay
 * of their own, which is thrown away.
 */
export class BuilderCache {
  /** `--cache` of the scripts in kernel/scripts. */
  readonly folder: string;

  readonly #cacheDir: string;
  readonly #account: BuildAccount | null;

  constructor(cacheDir: string, account: BuildAccount | null) {
    this.#cacheDir = cacheDir;
    this.#account = account;
    this.folder = join(cacheDir, 'builder');
  }

  /** An overlay's lower layer must hold still: its readers share this lock, a writer has it alone. */
  lock(exclusive: boolean): SandboxLock {
    const inAgent = (name: string): string => join(this.#cacheDir, 'agent', name);
    return { gate: inAgent('builder.gate'), file: inAgent('builder.lock'), exclusive };
  }

  /** Makes the folders, and gives what this agent fetched itself to the account that builds run as. */
  async prepare(): Promise<void> {
    await mkdir(join(this.#cacheDir, 'agent'), { recursive: true });
    for (const name of ['kernel', 'ccache']) {
      await mkdir(join(this.folder, name), { recursive: true });
      // Trees hold no secret, and a umask of 0077 would keep the builds out.
      await chmod(join(this.folder, name), 0o755);
    }
    await chmod(this.folder, 0o755);
    if (this.#account === null) return;
    const { uid, gid } = this.#account;
    const kernel = join(this.folder, 'kernel');
    const paths = [this.folder, kernel, join(this.folder, 'ccache')];
    for (const path of paths) await chown(path, uid, gid);
    const entries = [...paths.slice(2), ...(await readdir(kernel)).map((name) => join(kernel, name))];
    // All files are looked at: a script that root runs in here by hand leaves some of its own in a tree of the account,
    // and the next build fails at them as if its kernel were wrong.
    await giveAllAway(entries, this.#account);
  }

  /**
   * The compiler cache of one submitter, above the shared one: what one compiled, another never gets.
   * @param domain names the submitter
   */
  async domain(domain: string): Promise<NonNullable<Overlay['kept']>> {
    const folder = join(this.#domains, domain);
    const [changes, scratch] = [join(folder, 'changes'), join(folder, 'scratch')];
    for (const path of [changes, scratch]) {
      await mkdir(path, { recursive: true });
      await chmod(path, 0o755);
      if (this.#account !== null) await chown(path, this.#account.uid, this.#account.gid);
    }
    const now = new Date();
    await utimes(folder, now, now);
    return { changes, scratch, lock: join(folder, 'lock') };
  }

  /** Removes the submitters' caches that were not used in the longest time, and those that grew too large. */
  async trimDomains(): Promise<void> {
    const names = await orIfAbsent(readdir(this.#domains), []);
    const aged = await Promise.all(
      names.map(async (name) => ({
        folder: join(this.#domains, name),
        // Another build may have removed it by now.
        at: (await orIfAbsent(stat(join(this.#domains, name)), { mtimeMs: 0 })).mtimeMs,
      })),
    );
    aged.sort((a, b) => b.at - a.at);
    for (const [index, { folder }] of aged.entries()) {
      const bytes = await usageOf([folder]).then(
        (usage) => usage.bytes,
        // Made so that it cannot be counted.
        () => Number.POSITIVE_INFINITY,
      );
      if (index < KEPT_DOMAINS && bytes <= DOMAIN_MAX_BYTES) continue;
      // Not while a build uses it.
      const script = 'chmod -R u+rwX -- "$1"; rm -rf --one-file-system -- "$1"';
      await runTool('flock', ['-n', join(folder, 'lock'), 'sh', '-c', script, 'sh', folder]).catch(() => undefined);
    }
  }

  get #domains(): string {
    return join(this.#cacheDir, 'agent', 'domains');
  }

  /** Whether a tree of this configuration and base was built already, so that a build need not start from nothing. */
  async hasBuiltTree(config: string, baseSha256: string): Promise<boolean> {
    const kernel = join(this.folder, 'kernel');
    for (const name of await readdir(kernel)) {
      if (!name.startsWith(`tree-${config}-`) || !/^\d+$/.test(name.slice(`tree-${config}-`.length))) continue;
      const tree = join(kernel, name);
      const base = await orIfAbsent(readFile(join(tree, '.peerlab-base'), 'utf8'), '');
      if (base.startsWith(`${baseSha256} `) && existsSync(join(tree, 'vmlinux'))) return true;
    }
    return false;
  }
}

/** A kernel tree and the compiler's cache have 200 000 files. */
const GIVE_MS = 15 * 60_000;
/** What find and chown say of a file or a folder that a build beside this one, or that of another agent, has removed meanwhile. */
const GONE = /: No such file or directory$/;

/**
 * Gives whatever lies below `paths` and is not its own to an account.
 * @throws Error with what find said, but for what is no longer there
 */
export async function giveAllAway(paths: readonly string[], { uid, gid }: BuildAccount): Promise<void> {
  const foreign = ['!', '-uid', String(uid), '-exec', 'sh', '-c', GIVE_AWAY, 'sh', `${uid}:${gid}`, '{}', '+'];
  const { code, stderr } = await runProgram('find', [...paths, '-ignore_readdir_race', '-xdev', ...foreign], {
    timeoutMs: GIVE_MS,
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
  });
  const lines = stderr.split('\n').filter((line) => line !== '');
  const trouble = lines.find((line) => !GONE.test(line)) ?? (lines.length === 0 ? 'no word of it' : null);
  if (code !== 0 && trouble !== null)
    throw new Error(`the builder's cache cannot be given to its account: ${trouble.slice(0, 1000)}`);
}

/** Gives files to an account. One that another build has removed meanwhile is no error. */
export const GIVE_AWAY = `owner=$1; shift
chown -h -- "$owner" "$@" 2>/dev/null && exit
for file; do
  chown -h -- "$owner" "$file" || { [ ! -e "$file" ] && [ ! -L "$file" ]; } || exit 1
done`;

/** Finished bundles that stay on a builder's disk, some 20 MiB each. Far more than builds that run at once. */
const KEPT_BUNDLES = 128;

/** Removes the finished bundles that were not uploaded in the longest time; the controller has them. */
export async function trimBuiltBundles(folder: string, keep = KEPT_BUNDLES): Promise<void> {
  const names = (await orIfAbsent(readdir(folder), [])).filter((name) => /^[0-9a-f]{64}$/.test(name));
  if (names.length <= keep) return;
  const aged = await Promise.all(
    names.map(async (name) => ({ name, usedAt: (await orIfAbsent(stat(join(folder, name)), { mtimeMs: 0 })).mtimeMs })),
  );
  aged.sort((a, b) => b.usedAt - a.usedAt);
  for (const { name } of aged.slice(keep)) await rm(join(folder, name), { recursive: true, force: true });
}

/**
 * Removes a folder that a build wrote into. A build may leave folders that their owner cannot enter.
 */
export async function removeScratch(folder: string): Promise<void> {
  await runTool('chmod', ['-R', 'u+rwX', '--', folder]).catch(() => undefined);
  await runTool('rm', ['-rf', '--one-file-system', '--', folder]);
}
