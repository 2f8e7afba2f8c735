import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, lstat, mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildAccount } from '../sandbox/account.js';
import type { SandboxLock } from '../sandbox/sandbox.js';

/**
 * What builds share: pristine kernel sources, the trees that the farm's own kernels were built in, and
 * the compiler cache. Only trusted builds write here, one at a time; all others see it through an overlay
 * of their own, which is thrown away.
 */
export class BuilderCache {
  /** `--cache` of the scripts in kernel/scripts. */
  readonly folder: string;

  constructor(
    private readonly cacheDir: string,
    private readonly account: BuildAccount | null,
  ) {
    this.folder = join(cacheDir, 'builder');
  }

  /** An overlay's lower layer must hold still: its readers share this lock, a writer has it alone. */
  lock(exclusive: boolean): SandboxLock {
    const inAgent = (name: string): string => join(this.cacheDir, 'agent', name);
    return { gate: inAgent('builder.gate'), file: inAgent('builder.lock'), exclusive };
  }

  /** Makes the folders, and gives what this agent fetched itself to the account that builds run as. */
  async prepare(): Promise<void> {
    await mkdir(join(this.cacheDir, 'agent'), { recursive: true });
    for (const name of ['kernel', 'ccache']) {
      await mkdir(join(this.folder, name), { recursive: true });
      // Trees hold no secret, and a umask of 0077 would keep the builds out.
      await chmod(join(this.folder, name), 0o755);
    }
    await chmod(this.folder, 0o755);
    if (this.account === null) return;
    const { uid, gid } = this.account;
    const kernel = join(this.folder, 'kernel');
    const paths = [this.folder, kernel, join(this.folder, 'ccache')];
    for (const path of paths) await chown(path, uid, gid);
    const entries = [...paths.slice(2), ...(await readdir(kernel)).map((name) => join(kernel, name))];
    for (const path of entries) {
      if ((await lstat(path)).uid !== uid) await runToEnd('chown', ['-hR', `${uid}:${gid}`, path]);
    }
  }

  /** Whether a tree of this configuration and base was built already, so that a build need not start from nothing. */
  async hasBuiltTree(config: string, baseSha256: string): Promise<boolean> {
    const kernel = join(this.folder, 'kernel');
    for (const name of await readdir(kernel)) {
      if (!name.startsWith(`tree-${config}-`) || !/^\d+$/.test(name.slice(`tree-${config}-`.length))) continue;
      const tree = join(kernel, name);
      const base = await readFile(join(tree, '.peerlab-base'), 'utf8').catch(() => '');
      if (base.startsWith(`${baseSha256} `) && existsSync(join(tree, 'vmlinux'))) return true;
    }
    return false;
  }
}

/** Runs a program of the system; throws with its last words when it fails. */
export async function runToEnd(program: string, args: string[]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-1000);
    });
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`${program} exited with ${code}: ${said.trim()}`)),
    );
  });
}

/**
 * Removes a folder that a build wrote into. A build may leave folders that their owner cannot enter.
 */
export async function removeScratch(folder: string): Promise<void> {
  await runToEnd('chmod', ['-R', 'u+rwX', '--', folder]).catch(() => undefined);
  await runToEnd('rm', ['-rf', '--one-file-system', '--', folder]);
}
