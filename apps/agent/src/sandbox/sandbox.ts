import { lstatSync, readlinkSync } from 'node:fs';
import { quote } from '../machine/command.js';
import type { BuildAccount } from './account.js';

/** A folder or file of this machine and where the sandbox shows it. */
export interface Share {
  from: string;
  to: string;
}

/** A folder that the sandbox may change without changing it: what it writes lands in `changes`. */
export interface Overlay extends Share {
  /** Takes what is written. */
  changes: string;
  /** Empty folder of the same file system, for the kernel's own use. */
  scratch: string;
  /** Taken instead of the two by the one holder of the lock at a time: what is written there is kept. */
  kept?: { changes: string; scratch: string; lock: string };
}

/** Two lock files; holders share them or have them alone. A waiting writer keeps new readers out. */
export interface SandboxLock {
  gate: string;
  file: string;
  exclusive: boolean;
}

export interface SandboxLimits {
  /** Resident memory of all processes together. */
  memoryBytes: number;
  /** Processes and threads at the same time. */
  processes: number;
  /** Files and folders that it writes, together. */
  diskBytes: number;
  files: number;
  /** Processor time of any one process. */
  cpuSeconds: number;
  /** Any one file. */
  fileBytes: number;
}

export interface Sandbox {
  /** Program and arguments, as they are called inside. */
  command: readonly string[];
  /** Folder inside in which it starts. */
  cwd: string;
  environment: Readonly<Record<string, string>>;
  readOnly: readonly Share[];
  writable: readonly Share[];
  overlays: readonly Overlay[];
  lock: SandboxLock | null;
  limits: SandboxLimits;
  /** File with the program of `seccompFilter`. */
  seccompFile: string;
  /** This machine's network, and what resolves names and checks certificates; for fetching alone. */
  network?: boolean;
  /** Lock file that is held shared, if there is one, so that what it stands for is not removed. */
  keeps?: string;
}

/** Ids that processes have in their own view. */
const INNER_ID = 1000;

const INNER_PATH = '/usr/bin:/bin:/usr/sbin:/sbin';

/** For programs of the system; nothing else of this machine is in sight. */
const SYSTEM_PATHS = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];
/** What the dynamic linker and Debian's alternatives (cc, awk) need of /etc. */
const SYSTEM_FILES = ['alternatives', 'ld.so.cache', 'ld.so.conf', 'ld.so.conf.d'];
/** What resolves names and checks certificates. */
const NETWORK_FILES = ['resolv.conf', 'hosts', 'nsswitch.conf', 'gai.conf', 'services', 'ssl/certs', 'ca-certificates'];

/** Scratch memory that no process maps is in no resident set, so it is small. */
const SHARED_MEMORY_BYTES = 64 * 1024 * 1024;
/** Open files of one process: modpost and the linker open a few hundred. */
const OPEN_FILES = 4096;
/** Where the parts of the view are put together; a folder that every Debian system has. */
const ASSEMBLY = '/mnt';

/** One digit each, as dash knows no other. */
const LOCK_FDS = { keeps: 5, kept: 6, gate: 8, file: 9 } as const;
const SECCOMP_FD = 7;

/** /usr and the links of / that lead into it, as they are here. */
function systemArguments(network: boolean): string[] {
  const links = SYSTEM_PATHS.flatMap((name) => {
    const found = lstatSync(`/${name}`, { throwIfNoEntry: false });
    if (found === undefined) return [];
    return found.isSymbolicLink()
      ? ['--symlink', readlinkSync(`/${name}`), `/${name}`]
      : ['--ro-bind', `/${name}`, `/${name}`];
  });
  const names = network ? [...SYSTEM_FILES, ...NETWORK_FILES] : SYSTEM_FILES;
  const files = names.flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`]);
  return ['--ro-bind', '/usr', '/usr', ...links, ...files];
}

/** Arguments that hold no blank. */
const words = (text: string): string[] => text.split(' ');

/** bwrap's arguments; the parts of the view lie in numbered entries of ASSEMBLY. */
function bwrapArguments(sandbox: Sandbox, parts: readonly Part[]): string[] {
  const environment = Object.entries({ PATH: INNER_PATH, ...sandbox.environment });
  return [
    ...words('--unshare-all'),
    ...(sandbox.network === true ? ['--share-net'] : []),
    ...words('--unshare-user --disable-userns --die-with-parent --clearenv'),
    ...environment.flatMap(([name, value]) => ['--setenv', name, value]),
    ...words(`--cap-drop ALL --uid ${INNER_ID} --gid ${INNER_ID} --hostname builder`),
    ...systemArguments(sandbox.network === true),
    ...words(`--proc /proc --dev /dev --size ${SHARED_MEMORY_BYTES} --tmpfs /dev/shm`),
    ...parts.flatMap(({ at, to, writable }) => [writable ? '--bind' : '--ro-bind', at, to]),
    // Both are in memory, so nothing may be written there.
    ...words('--remount-ro /dev --remount-ro /'),
    '--chdir',
    sandbox.cwd,
    ...words(`--seccomp ${SECCOMP_FD} --`),
    // The signals that the wrappers ignore end what runs inside, in its own way.
    ...words('env --default-signal=TERM,INT,HUP'),
    // Set in the innermost user namespace it counts the processes of this sandbox alone.
    ...words(`prlimit --nproc=${sandbox.limits.processes}`),
    ...sandbox.command,
  ];
}

interface Part {
  at: string;
  to: string;
  writable: boolean;
  /** Shell commands that put it there. */
  make: string;
}

function partsOf(sandbox: Sandbox, hasRoot: boolean): Part[] {
  let count = 0;
  const place = (): string => `${ASSEMBLY}/${count++}`;
  const bound = (share: Share, writable: boolean): Part => {
    const at = place();
    const from = quote(share.from);
    return {
      at,
      to: share.to,
      writable,
      make: `if [ -d ${from} ]; then mkdir ${at}; else : >${at}; fi; mount --rbind ${from} ${at}`,
    };
  };
  // Attributes of its own that an unprivileged mount may write.
  const attributes = hasRoot ? '' : 'userxattr,';
  const overlaid = ({ from, to, changes, scratch, kept }: Overlay): Part => {
    const at = place();
    const mount = (upper: string, work: string): string =>
      `mount -t overlay overlay -o ${quote(`${attributes}lowerdir=${from},upperdir=${upper},workdir=${work}`)} ${at}`;
    const own = mount(changes, scratch);
    const fd = LOCK_FDS.kept;
    const make =
      kept === undefined
        ? own
        : `exec ${fd}>${quote(kept.lock)}; if flock -n ${fd}; then ${mount(kept.changes, kept.scratch)}; else ${own}; fi`;
    return { at, to, writable: true, make: `mkdir ${at}; ${make}` };
  };
  return [
    ...sandbox.overlays.map(overlaid),
    ...sandbox.readOnly.map((share) => bound(share, false)),
    ...sandbox.writable.map((share) => bound(share, true)),
  ];
}

function lockCommands({ gate, file, exclusive }: SandboxLock): string {
  const mode = exclusive ? '-x' : '-s';
  const take = (fd: number): string =>
    `flock -n ${mode} ${fd} || { echo "@progress 0 waiting for other builds in the shared cache"; flock ${mode} ${fd}; }`;
  return [
    `exec ${LOCK_FDS.gate}>${quote(gate)} ${LOCK_FDS.file}>${quote(file)}`,
    take(LOCK_FDS.gate),
    take(LOCK_FDS.file),
    `flock -u ${LOCK_FDS.gate}`,
  ].join('\n');
}

/** Characters that separate the options of a mount, or that mount reads as escapes. */
const UNMOUNTABLE = /[,:"\\\n]/;

/** Why an overlay cannot be made of folders with these paths; null when it can. */
export function whyUnmountable(paths: readonly string[]): string | null {
  const odd = paths.find((path) => UNMOUNTABLE.test(path));
  return odd === undefined ? null : `the path ${odd} has a character that an overlay cannot take (, : " \\)`;
}

/**
 * The command that runs something in a sandbox: namespaces of its own for users, processes, mounts,
 * IPC, host name, cgroups and network (an empty one), a file system that shows /usr and what is shared,
 * no capability, no new privileges, a system call filter, and limits on each process. Limits on all
 * processes together are `watchLimits`'.
 *
 * The outermost process ends last: when it ends by itself, everything that ran inside is gone. Kill it with
 * `killSandbox`. Signals to its process group reach what runs inside; the wrappers ignore all but SIGKILL.
 * It is killed when the thread that started it ends.
 * @param account the account to drop to, for an agent that is root
 */
export function sandboxCommand(sandbox: Sandbox, account: BuildAccount | null): string[] {
  for (const { from, changes, scratch, kept } of sandbox.overlays) {
    const paths = [from, changes, scratch, ...(kept === undefined ? [] : [kept.changes, kept.scratch])];
    const problem = whyUnmountable(paths);
    if (problem !== null) throw new Error(problem);
  }
  const parts = partsOf(sandbox, account !== null);
  const drop =
    account === null
      ? []
      : words(
          `setpriv --reuid=${account.uid} --regid=${account.gid} --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs`,
        );
  const { memoryBytes, fileBytes, cpuSeconds } = sandbox.limits;
  const confine = words(
    `prlimit --as=${memoryBytes} --fsize=${fileBytes} --cpu=${cpuSeconds} --nofile=${OPEN_FILES} --core=0 --memlock=0`,
  );
  // What bwrap is given here, a build can read in /proc/1.
  const clean = ['env', '-i', `PATH=${INNER_PATH}`];
  const run = [...clean, ...drop, ...confine, 'bwrap', ...bwrapArguments(sandbox, parts)];
  const script = [
    "trap '' TERM INT HUP",
    ...(sandbox.keeps === undefined
      ? []
      : [`exec ${LOCK_FDS.keeps}>${quote(sandbox.keeps)}; flock -s ${LOCK_FDS.keeps}`]),
    ...(sandbox.lock === null ? [] : [lockCommands(sandbox.lock)]),
    // From here a path of the view is in reach of an account that may not enter the folders above it.
    `mount -t tmpfs -o size=1m,mode=755 peerlab ${ASSEMBLY}`,
    ...parts.map(({ make }) => make),
    `cd ${ASSEMBLY}`,
    `${run.map(quote).join(' ')} ${Object.values(LOCK_FDS)
      .map((fd) => `${fd}>&-`)
      .join(' ')} ${SECCOMP_FD}<${quote(sandbox.seccompFile)}`,
    'exit $?',
  ].join('\n');
  const user = account === null ? ['--user', '--map-root-user'] : [];
  return [
    // A build must not outlive the agent: without it no limit on all processes together is watched.
    ...words('setpriv --pdeathsig KILL --'),
    // When memory runs out elsewhere on this machine, a build goes first.
    ...words('choom -n 1000 -- nice -n 10 unshare'),
    ...user,
    // bwrap looks at itself in /proc, which must count processes as it does.
    ...words('--mount --propagation private --pid --fork --mount-proc --kill-child=KILL sh -ec'),
    script,
  ];
}
