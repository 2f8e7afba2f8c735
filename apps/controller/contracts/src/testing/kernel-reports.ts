import { type CrashType, readCrashes } from '../rules/crash.js';

/** Reports in the words of Linux 7.3, for tests; functions, addresses and numbers are made up. */

/** A stack as `dump_stack` and a trap print it. */
export function stack(...functions: string[]): string[] {
  return ['Call Trace:', ' <TASK>', ...functions.map((name) => ` ${name}+0x1c4/0x2e0`), ' </TASK>'];
}

/** Registers of a trap in a function; null: a call through NULL. */
export function trap(at: string | null): string[] {
  return [
    'CPU: 1 UID: 0 PID: 412 Comm: p2p-test Not tainted 7.3.4-peerlab #1 PREEMPT(lazy)',
    'Hardware name: QEMU Standard PC (Q35 + ICH9, 2009), BIOS 1.16.2 04/01/2014',
    at === null ? 'RIP: 0010:0x0' : `RIP: 0010:${at}+0x8f/0x1a0`,
    at === null ? 'Code: Unable to access opcode bytes at 0xffffffffffffffd6.' : 'Code: 48 89 e5 0f 0b 90',
    'RSP: 0018:ffffc90000a4fd48 EFLAGS: 00010246',
    'RAX: 0000000000000000 RBX: ffff888104a2c000 RCX: 0000000000000000',
  ];
}

/** A user program that called into the kernel, below its stack. */
export const USER = [
  'RIP: 0033:0x7f3a1c2d4e6f',
  'RSP: 002b:00007ffc0a1b2c38 EFLAGS: 00000246 ORIG_RAX: 0000000000000010',
];

export const SYSCALL = ['__x64_sys_ioctl', 'do_syscall_64', 'entry_SYSCALL_64_after_hwframe'];

/** Puts the time, and who printed it, in front of each line. */
export function printed(caller: string | null, lines: readonly string[]): string[] {
  const by = caller === null ? '' : `[${caller.padStart(6)}]`;
  return lines.map((line, at) => `[   41.${String(200_300 + at).padStart(6, '0')}]${by} ${line}`);
}

/** A report, and what the reader has to say about it. */
export type KernelReportCase = [title: string, type: CrashType, severity: 'crash' | 'warning', lines: string[]];

/** Titles, types and severities of the reports in a message; throws if they depend on the context that printed it. */
export function summaries(lines: readonly string[]): [string, CrashType, 'crash' | 'warning'][] {
  const [known = [], ...others] = [null, 'T412', 'C1'].map((caller) =>
    readCrashes(printed(caller, lines)).map(({ title, type, severity }): [string, CrashType, 'crash' | 'warning'] => [
      title,
      type,
      severity,
    ]),
  );
  for (const other of others) {
    if (JSON.stringify(other) !== JSON.stringify(known)) throw new Error(`with a caller: ${JSON.stringify(other)}`);
  }
  return known;
}
