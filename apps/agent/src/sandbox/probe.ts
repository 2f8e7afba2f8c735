import { chownSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '@peerlab/runtime';
import { messageOf } from '../error-message.js';
import { type BuildAccount, buildAccount } from './account.js';
import { sandboxCommand, whyUnmountable } from './sandbox.js';
import { seccompFilter } from './seccomp.js';
import { killSandbox } from './watch.js';

/** Starting a few processes; a busy machine takes seconds. */
const PROBE_MS = 60_000;

/** Characters of the output that the reason quotes. */
const PROBE_OUTPUT_MAX = 2000;

const LIMITS = {
  memoryBytes: 1024 ** 3,
  processes: 64,
  diskBytes: 1024 ** 2,
  files: 100,
  cpuSeconds: 60,
  fileBytes: 1024 ** 2,
};

/**
 * Whether a sandbox works here: runs a small one, on the file system that builds will use.
 * @param folder a folder of this agent below which builds will write
 * @returns null, or why not, with the remedy
 */
export async function whyNoSandbox(folder: string, account = buildAccount()): Promise<string | null> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return `builds are sandboxed on x86_64 Linux only, this is ${process.platform} on ${process.arch}; use a builder of that kind`;
  }
  const unmountable = whyUnmountable([folder]);
  if (unmountable !== null) return `no sandbox can be made here: ${unmountable}; give cacheDir another path`;
  await mkdir(folder, { recursive: true });
  const root = await mkdtemp(join(folder, 'probe-'));
  try {
    const own = async (name: string): Promise<string> => {
      const path = join(root, name);
      await mkdir(path, { mode: 0o755 });
      if (account !== null) chownSync(path, account.uid, account.gid);
      return path;
    };
    const seccompFile = join(root, 'seccomp');
    await writeFile(seccompFile, seccompFilter());
    const [from, changes, scratch] = [await own('lower'), await own('changes'), await own('scratch')];
    const [program = '', ...args] = sandboxCommand(
      {
        command: ['sh', '-c', 'echo works >/probe/file && cat /probe/file'],
        cwd: '/',
        environment: {},
        readOnly: [],
        writable: [],
        overlays: [{ from, changes, scratch, to: '/probe' }],
        lock: null,
        limits: LIMITS,
        seccompFile,
      },
      account,
    );
    const { code, stdout, stderr } = await runProgram(program, args, { timeoutMs: PROBE_MS, kill: killSandbox });
    if (code === 0 && stdout.includes('works')) return null;
    return remedyFor(`${stdout}${stderr}`.trim().slice(-PROBE_OUTPUT_MAX) || `exit status ${code}`, account);
  } catch (error) {
    return remedyFor(messageOf(error), account);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** What to do about a sandbox that does not start, by what the tools said. */
export function remedyFor(said: string, account: BuildAccount | null): string {
  const why = `no sandbox can be made here: ${said.split('\n').slice(-3).join('; ')}`;
  if (/(?:bwrap|unshare|setpriv|prlimit|choom): (?:not found|.*ENOENT)|ENOENT/.test(said)) {
    return `${why}. Install what is missing: apt-get install bubblewrap util-linux`;
  }
  if (/overlay/.test(said)) {
    return `${why}. The cache folder must lie on a file system that carries overlays (ext4, xfs, btrfs), not on an overlay itself, and the kernel must be 5.11 or newer`;
  }
  const allow =
    'allow user namespaces: sysctl kernel.unprivileged_userns_clone=1 (Debian), kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu) and user.max_user_namespaces above 0';
  const container =
    account === null
      ? 'in a systemd unit, without RestrictNamespaces= and ProtectKernelTunables='
      : 'in a container, with --security-opt seccomp=unconfined --cap-add SYS_ADMIN or on the host itself';
  return `${why}. To mend it, ${allow}; ${container}`;
}
