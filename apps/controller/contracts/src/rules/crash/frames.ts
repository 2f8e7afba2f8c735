/** Patterns for one frame of a stack as the kernel prints it, on x86, arm64, arm and PowerPC. */

/** Where a function is, as scripts/decode_stacktrace.sh writes it in place of the offset: ` (mm/gup.c:12`. */
const DECODED = String.raw` \([a-zA-Z0-9_./-]{1,200}:\d`;
/** A function's name, of Rust up to KSYM_NAME_LEN, with what has to follow it: `foo+0x1/0x2`, `foo.isra.0+0x1/0x2` or `foo (mm/gup.c:12)`. */
export const FUNCTION = `([a-zA-Z0-9_]{1,511})(?:[.+]|${DECODED})`;
/** An address in brackets, of kernels that print addresses. */
export const ADDRESS = String.raw`\[<?(?:0x)?[0-9a-f]{1,16}>?\]`;
/** A file and a line. */
export const SOURCE = String.raw`([a-zA-Z0-9_./-]{1,200}\.[a-z]{1,3}:\d{1,7})`;

/** A pattern in which `{fn}`, `{pc}` and `{src}` stand for the three above; every repetition has a maximum. */
export function pattern(source: string): RegExp {
  return new RegExp(source.replaceAll('{fn}', FUNCTION).replaceAll('{pc}', ADDRESS).replaceAll('{src}', SOURCE));
}

/** A function of a stack, whole: names of versions and devices in other lines contain dots too. */
const FRAME_FUNCTION = String.raw`([a-zA-Z_][a-zA-Z0-9_]{0,510})(?:\.[a-zA-Z0-9_.]{0,80})?(?:\+0x|${DECODED})`;

const FRAMES = [
  pattern(String.raw`^ {0,40}(?:{pc} ){0,2}${FRAME_FUNCTION}`),
  // 32-bit arm: `[<c0100000>] (foo) from [<c0200000>] (bar+0x1/0x2)`. The top frame stands only on the left.
  pattern(String.raw`^ {0,40}{pc} \(([a-zA-Z0-9_.]{1,128})\) from {pc} \(${FRAME_FUNCTION}`),
];

/** Function of a line of a stack; null for a line that is no frame. */
export function frameOf(line: string): string | null {
  for (const frame of FRAMES) {
    const match = frame.exec(line);
    if (match !== null) return match[1] ?? null;
  }
  return null;
}

/**
 * The line that names the faulting instruction. No function is captured where the address is none of the kernel's:
 * a call through NULL, a user's instruction.
 */
export const INSTRUCTION = pattern(
  String.raw`(?:IP|NIP|pc |PC is at):? (?:(?:\d{1,8}:)?(?:{pc} {1,4}){0,2}{fn}|(?:\d{1,8}:)?0x[0-9a-f]|(?:\d{1,8}:)?{pc} {1,16}\[< {0,16}\(null\)>\] {1,40}\(null\)|\d{1,8}: {1,40}\(null\))`,
);

/** The line in front of a stack of the task that reports. */
export const CALL_TRACE = /Call [Tt]race:|Backtrace:/;

/** Lines in front of any stack of a report: where it happened, where memory came from, where it went. */
const STACK_STARTS = [
  /Call [Tt]race/,
  /Allocated:/,
  /Allocated by task \d/,
  /Freed:/,
  /Freed by task \d/,
  // `stack backtrace:` of lockdep is none: a Call Trace follows.
  /[^k] backtrace(?: \(crc [0-9a-f]{0,8}\))?:/,
  /Backtrace:/,
  /Uninit was stored to memory at/,
];

/** Which of the starts of a stack a line is, or -1. */
export function stackStartOf(line: string): number {
  return STACK_STARTS.findIndex((start) => start.test(line));
}

/** What the syscall macros put in front of a syscall's name, outermost first. */
const SYSCALL_PREFIXES = [
  'SYSC_',
  'SyS_',
  'sys_',
  '__x64_',
  '__ia32_',
  '__arm64_',
  '____sys_',
  '___sys_',
  '__sys_',
  '__se_',
  '__se_sys_',
  '__do_sys_',
  'compat_SYSC_',
  'compat_SyS_',
  'ksys_',
];

/** One name for the wrappers of a syscall, so that a title does not depend on which of them was inlined. */
export function withoutSyscallPrefix(name: string): string {
  let bare = name;
  for (const prefix of SYSCALL_PREFIXES) if (bare.startsWith(prefix)) bare = bare.slice(prefix.length);
  return bare;
}
