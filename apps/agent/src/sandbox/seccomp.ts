/**
 * The system call filter of the sandbox, as a classic BPF program for x86_64. Namespaces keep a build
 * away from files, processes and networks; the filter keeps it away from parts of the kernel that no
 * compiler needs and where most privilege escalations of the last years were found.
 */

// struct sock_filter: code, jump if true, jump if false, operand (include/uapi/linux/filter.h).
const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_GREATER_EQUAL = 0x35;
const JUMP_SET = 0x45;
const RETURN = 0x06;

// struct seccomp_data: number, architecture, instruction pointer, six arguments of 64 bits.
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
const argumentAt = (index: number): number => 16 + 8 * index;

const ALLOW = 0x7fff_0000;
const KILL_PROCESS = 0x8000_0000;
const ERRNO = 0x0005_0000;
const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

const X86_64 = 0xc000_003e;
/** Calls of the x32 ABI have this bit: the same calls by other numbers. */
const X32_BIT = 0x4000_0000;
/** CLONE_NEW* for every kind of namespace but time, which shares its bit with the exit signal. */
const CLONE_NAMESPACES = 0x7e02_0000;

const CLONE = 56;
/**
 * socket and socketpair, of every family: some, such as vsock, are in no network namespace, and each local
 * one keeps up to 400 KiB in the kernel that are in no process's resident memory. Compilers use pipes.
 */
const SOCKET = 41;
const SOCKETPAIR = 53;
/** AF_INET and AF_INET6: what a fetch opens. A pair of local sockets leads nowhere; libcurl resolves names by one. */
const INTERNET = [2, 10];

/** Refused as if the kernel did not have them, so that programs fall back to what is allowed. */
const UNKNOWN: Readonly<Record<string, number>> = {
  // Its flags lie in memory, where a filter cannot look.
  clone3: 435,
  // Memory that belongs to no process and so escapes the limit.
  memfd_create: 319,
  memfd_secret: 447,
  io_uring_setup: 425,
  io_uring_enter: 426,
  io_uring_register: 427,
};

const FORBIDDEN: Readonly<Record<string, number>> = {
  // Namespaces and mounts.
  unshare: 272,
  setns: 308,
  mount: 165,
  umount2: 166,
  pivot_root: 155,
  chroot: 161,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  fspick: 433,
  mount_setattr: 442,
  // Other processes.
  ptrace: 101,
  process_vm_readv: 310,
  process_vm_writev: 311,
  pidfd_getfd: 438,
  kcmp: 312,
  // Keeps memory that no process maps any more, up to 2 MiB for each slot of a pipe.
  vmsplice: 278,
  // Files by handle, past every mount.
  name_to_handle_at: 303,
  open_by_handle_at: 304,
  // Shared memory and queues that outlive and escape the processes that are counted.
  shmget: 29,
  shmat: 30,
  shmctl: 31,
  msgget: 68,
  semget: 64,
  mq_open: 240,
  // Large or rarely used parts of the kernel.
  bpf: 321,
  perf_event_open: 298,
  userfaultfd: 323,
  keyctl: 250,
  add_key: 248,
  request_key: 249,
  fanotify_init: 300,
  modify_ldt: 154,
  // For root alone, refused before the kernel looks.
  kexec_load: 246,
  kexec_file_load: 320,
  init_module: 175,
  finit_module: 313,
  delete_module: 176,
  iopl: 172,
  ioperm: 173,
  swapon: 167,
  swapoff: 168,
  reboot: 169,
  acct: 163,
  quotactl: 179,
  syslog: 103,
  settimeofday: 164,
  clock_settime: 227,
  adjtimex: 159,
  sethostname: 170,
  setdomainname: 171,
};

interface Instruction {
  code: number;
  ifTrue: number;
  ifFalse: number;
  operand: number;
}

const step = (code: number, operand: number, ifTrue = 0, ifFalse = 0): Instruction => ({
  code,
  ifTrue,
  ifFalse,
  operand,
});
const refuse = (errno: number): Instruction => step(RETURN, ERRNO | errno);
/** Ends with `errno` when the call has this number. */
const refuseCall = (number: number, errno: number): Instruction[] => [step(JUMP_EQUAL, number, 0, 1), refuse(errno)];

/** Sockets of no family at all, or of the Internet alone. */
function socketRules(network: boolean): Instruction[] {
  if (!network) return [SOCKET, SOCKETPAIR].flatMap((number) => refuseCall(number, EAFNOSUPPORT));
  return [
    step(JUMP_EQUAL, SOCKET, 0, INTERNET.length + 3),
    step(LOAD, argumentAt(0)),
    ...INTERNET.map((family, index) => step(JUMP_EQUAL, family, INTERNET.length - index, 0)),
    refuse(EAFNOSUPPORT),
    step(RETURN, ALLOW),
  ];
}

/**
 * The filter as bwrap's `--seccomp` reads it.
 * @param network for a program of ours that fetches; no build gets it
 */
export function seccompFilter({ network }: { network: boolean } = { network: false }): Buffer {
  const program: Instruction[] = [
    step(LOAD, ARCHITECTURE_AT),
    // The calls of 32-bit programs have numbers of their own.
    step(JUMP_EQUAL, X86_64, 1, 0),
    step(RETURN, KILL_PROCESS),
    step(LOAD, NUMBER_AT),
    step(JUMP_GREATER_EQUAL, X32_BIT, 0, 1),
    refuse(ENOSYS),
    ...Object.values(UNKNOWN).flatMap((number) => refuseCall(number, ENOSYS)),
    ...Object.values(FORBIDDEN).flatMap((number) => refuseCall(number, EPERM)),
    ...socketRules(network),
    step(JUMP_EQUAL, CLONE, 0, 3),
    step(LOAD, argumentAt(0)),
    step(JUMP_SET, CLONE_NAMESPACES, 0, 1),
    refuse(EPERM),
    step(RETURN, ALLOW),
  ];
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, { code, ifTrue, ifFalse, operand }] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(ifTrue, index * 8 + 2);
    bytes.writeUInt8(ifFalse, index * 8 + 3);
    bytes.writeUInt32LE(operand >>> 0, index * 8 + 4);
  }
  return bytes;
}
