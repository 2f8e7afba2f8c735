import { execFile } from 'node:child_process';
import { closeSync, openSync, readdirSync, readlinkSync, readSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import { isAbsent, sendSignal } from '@peerlab/runtime';
import { messageOf } from '../error-message.js';
import { formatBytes } from '../timing.js';
import type { SandboxLimits } from './sandbox.js';

const run = promisify(execFile);

/** A process can fill memory at some GiB a second; the limit on each one bounds what a look can miss. */
const MEMORY_EVERY_MS = 500;
/** One call to the kernel; a disk takes about a GiB in this time. */
const RESERVE_EVERY_MS = 500;
/** What a build wrote is a few thousand files, counted in milliseconds. */
const DISK_EVERY_MS = 2_000;
/** A look at a tree that is made to take long to look at. */
const DISK_LOOK_MS = 60_000;
/** Left free for everything else on the file system: spool, database, other builds. */
const RESERVE_BYTES = 2 * 1024 * 1024 * 1024;
const PAGE_BYTES = 4096;
/**
 * Open files of all processes together: a pipe takes a few KiB of kernel memory, and each is looked at. A
 * build has 20 in each of some hundred processes.
 */
const ALL_OPEN_FILES = 32_768;
/** Unit of st_blocks. */
const BLOCK_BYTES = 512;
/** The kernel lets none above the limit be started; a build that is this near to it waits for ever to start more. */
const FULL = 0.9;

/** Process ids below a process, itself included, by what the kernel says of each one's parent. */
export function descendantsOf(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const parent = parentOf(pid);
    if (parent === null) continue;
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [pid]);
    else siblings.push(pid);
  }
  const found = [root];
  for (let at = 0; at < found.length; at += 1) found.push(...(children.get(found[at] ?? 0) ?? []));
  return found;
}

/**
 * What `read` gives, or `value` when the process or the file is gone meanwhile. Any other error is thrown: what cannot
 * be counted is not within a limit.
 */
function unlessGone<T>(read: () => T, value: T): T {
  try {
    return read();
  } catch (error) {
    if (isAbsent(error) || (error as NodeJS.ErrnoException).code === 'ESRCH') return value;
    throw error;
  }
}

/** One for all looks: hundreds of processes are looked at twice a second, and a line of each is far shorter. */
const line = Buffer.allocUnsafe(4096);

/** The line that the kernel says of a process. */
function readLine(path: string): string {
  const fd = openSync(path, 'r');
  try {
    return line.toString('latin1', 0, readSync(fd, line, 0, line.length, 0));
  } finally {
    closeSync(fd);
  }
}

/** null when the process is gone. */
function parentOf(pid: number): number | null {
  const text = unlessGone(() => readLine(`/proc/${pid}/stat`), null);
  // The name in parentheses may hold anything; what follows its last one does not.
  return text === null ? null : Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
}

/** Resident memory of a process in bytes; 0 when it is gone. */
function residentBytes(pid: number): number {
  const text = unlessGone(() => readLine(`/proc/${pid}/statm`), '0 0');
  return Number(text.split(' ')[1]) * PAGE_BYTES;
}

/** Enters folders that their owner, this account, has closed to itself. Root needs no help. */
const asOwner = (): string[] =>
  process.getuid?.() === 0 ? [] : ['unshare', '--user', '--map-root-user', '--kill-child=KILL', '--fork', '--'];

/**
 * Bytes and files below folders, those in folders without any permission included.
 * @throws Error when they cannot be counted within a minute
 */
export async function usageOf(folders: readonly string[]): Promise<{ bytes: number; files: number }> {
  const total = async (...unit: string[]): Promise<number> => {
    // What it complains of is not read: it could be more than the buffer for it takes.
    const script = 'exec "$@" 2>/dev/null';
    const command = [...asOwner(), 'sh', '-c', script, 'sh', 'du', '-s', '-x', ...unit, '--', ...folders];
    const [program = '', ...args] = command;
    const { stdout } = await run(program, args, { timeout: DISK_LOOK_MS, killSignal: 'SIGKILL' }).catch(
      (error: { stdout?: string; killed?: boolean }) => {
        if (error.killed === true) throw new Error(`counting took more than ${DISK_LOOK_MS / 1000} s`);
        // Files that vanish meanwhile make du fail after it has counted the rest; a du that cannot be run counts nothing.
        if (error.stdout === undefined || error.stdout === '') throw error;
        return { stdout: error.stdout };
      },
    );
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .reduce((sum, line) => sum + Number(line.split('\t')[0]), 0);
  };
  return { bytes: await total('--block-size=1'), files: await total('--inodes') };
}

/**
 * What processes hold open: how many files, and the bytes of those that have no name any more, which no walk
 * over folders finds. Looks at no more than the limit on open files.
 */
function openFilesOf(processes: readonly number[]): { count: number; namelessBytes: number } {
  const sizes = new Map<string, number>();
  let count = 0;
  for (const pid of processes) {
    const folder = `/proc/${pid}/fd`;
    const fds = unlessGone(() => readdirSync(folder), []);
    count += fds.length;
    if (count > ALL_OPEN_FILES) break;
    for (const fd of fds) {
      // No file is opened: a look at the link's own target.
      const target = unlessGone(() => readlinkSync(`${folder}/${fd}`), '');
      if (!target.endsWith(' (deleted)')) continue;
      const found = unlessGone(() => statSync(`${folder}/${fd}`), null);
      if (found !== null) sizes.set(`${found.dev}:${found.ino}`, found.blocks * BLOCK_BYTES);
    }
  }
  return { count, namelessBytes: [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0) };
}

/**
 * Kills a sandbox so that its outermost process still ends last: the first process of its PID namespace
 * goes, with all others in it, and then the outermost one ends by itself.
 * @param pid the outermost process, leader of its process group
 */
export function killSandbox(pid: number): void {
  const [, first] = descendantsOf(pid);
  // Before there is a namespace nothing runs in it.
  sendSignal(first ?? -pid, 'SIGKILL');
}

interface LimitWatch {
  stop(): void;
}

/**
 * Looks at what all processes of a sandbox use together, and calls `onExceeded` once, with the reason in
 * words, when it is more than allowed.
 * @param pid the outermost process
 * @param folders where the sandbox writes; they are counted against `diskBytes` and `files`
 */
export function watchLimits(
  pid: number,
  limits: SandboxLimits,
  folders: readonly string[],
  onExceeded: (reason: string) => void,
): LimitWatch {
  let isOver = false;
  let isLooking = false;
  const stop = (): void => {
    isOver = true;
    for (const timer of [memory, reserve, disk]) clearInterval(timer);
  };
  const exceeded = (reason: string): void => {
    if (isOver) return;
    stop();
    onExceeded(reason);
  };
  const uncountable = (error: unknown): void => exceeded(`what the build uses cannot be counted: ${messageOf(error)}`);
  const lookAtMemory = (): void => {
    const processes = descendantsOf(pid);
    if (processes.length > FULL * limits.processes) {
      return exceeded(`the build started ${processes.length} processes, its limit is ${limits.processes}`);
    }
    const bytes = processes.reduce((sum, each) => sum + residentBytes(each), 0);
    if (bytes > limits.memoryBytes) {
      exceeded(`the build used ${formatBytes(bytes)} of memory, its limit is ${formatBytes(limits.memoryBytes)}`);
    }
  };
  const memory = setInterval(() => {
    try {
      lookAtMemory();
    } catch (error) {
      uncountable(error);
    }
  }, MEMORY_EVERY_MS);
  const reserve = setInterval(() => {
    for (const folder of folders) {
      statfs(folder).then(
        ({ bavail, bsize }) => {
          if (bavail * bsize < RESERVE_BYTES) {
            exceeded(`the build filled the disk: ${formatBytes(bavail * bsize)} are left on it`);
          }
        },
        (error: unknown) => {
          if (!isAbsent(error)) uncountable(error);
        },
      );
    }
  }, RESERVE_EVERY_MS);
  const lookAtDisk = async (): Promise<void> => {
    const open = openFilesOf(descendantsOf(pid));
    if (open.count > ALL_OPEN_FILES) {
      return exceeded(`the build holds more than ${ALL_OPEN_FILES} files open, all its processes together`);
    }
    const { bytes: namedBytes, files } = await usageOf(folders);
    const bytes = namedBytes + open.namelessBytes;
    if (bytes > limits.diskBytes) {
      exceeded(`the build wrote ${formatBytes(bytes)} to disk, its limit is ${formatBytes(limits.diskBytes)}`);
    } else if (files > limits.files) {
      exceeded(`the build made ${files} files, its limit is ${limits.files}`);
    }
  };
  const disk = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    void lookAtDisk()
      .catch(uncountable)
      .finally(() => {
        isLooking = false;
      });
  }, DISK_EVERY_MS);
  return { stop };
}
