/** Addresses of code in a kernel's reports: calls by function and offset, and bare addresses. */

/** An address as the kernel prints it: `foo+0x1c/0x40`, `foo+0x1c/0x40 [module]`. */
export interface KernelCall {
  name: string;
  offset: number;
  /** Of the function, in bytes. */
  size: number;
  /** The module that has it; null = the kernel image. */
  module: string | null;
  /** It is the instruction that failed; all others are return addresses. */
  isInstruction: boolean;
}

/** Calls that are kept of one report, and of one log. */
export const REPORT_CALLS_MAX = 64;
export const LOG_CALLS_MAX = 1000;

const CALL =
  /(?:^|[\s:(])([a-zA-Z_][\w.]{0,127})\+0x([0-9a-f]{1,8})\/0x([0-9a-f]{1,8})(?: \[([\w-]{1,64})(?:\([A-Z]{1,8}\))?\])?/;
/** The unwinder does not believe in it. */
const DOUBTFUL = / \? (?:[a-zA-Z_][\w.]{0,127}\+0x|0xffffffff)/;
const INSTRUCTION = /\b(?:R?IP|pc) ?: ?/;
/** First message of a kernel on its console. */
export const KERNEL_BANNER = /\bLinux version ([a-zA-Z0-9_][a-zA-Z0-9._+-]{0,63})/;
/** A frame, or an instruction, of the kernel image without a name: a kernel without kallsyms prints it so. */
const BARE = /(?:^ {0,40}|RIP: \d{4}:)(?:\[<)?(?:0x)?(ffffffff[89a-f][0-9a-f]{7})(?:>\])?(?:$|\s)/;
/** A kernel that was loaded elsewhere says so where it panics. */
const OFFSET = /\bKernel Offset: 0x([0-9a-f]{1,16}) from 0xffffffff81000000\b/;

/** The call in a line of a log, without what stands in front of the line; null where there is none that counts. */
export function callOf(text: string): KernelCall | null {
  const match = CALL.exec(text);
  if (match === null || DOUBTFUL.test(text)) return null;
  const [, name = '', offset = '', size = '', module] = match;
  return {
    name,
    offset: parseInt(offset, 16),
    size: parseInt(size, 16),
    module: module ?? null,
    isInstruction: INSTRUCTION.test(text),
  };
}

/** How a call is named in reports and tables. */
export function callText({ name, offset, size, module }: KernelCall): string {
  const place = module === null ? '' : ` [${module}]`;
  return `${name}+0x${offset.toString(16)}/0x${size.toString(16)}${place}`;
}

/** The bare address of kernel code in a line without its prefix, as 16 digits; null where there is none that counts. */
export function bareAddressOf(text: string): string | null {
  return DOUBTFUL.test(text) ? null : (BARE.exec(text)?.[1] ?? null);
}

/** How far a kernel says it was moved; null in any other line. */
export function kernelOffsetOf(text: string): bigint | null {
  const match = OFFSET.exec(text);
  return match === null ? null : BigInt(`0x${match[1] ?? '0'}`);
}

/** An address that a report names. */
export interface ReportCall {
  /** `foo+0x1c/0x40`, with ` [module]`, or 16 digits. */
  call: string;
  /** It is the instruction that failed; all others are return addresses. */
  isInstruction: boolean;
}

/** What a line without its prefix names; null where it names nothing. */
export function reportCallOf(text: string): ReportCall | null {
  const call = callOf(text);
  if (call !== null) return { call: callText(call), isInstruction: call.isInstruction };
  const bare = bareAddressOf(text);
  return bare === null ? null : { call: bare, isInstruction: INSTRUCTION.test(text) };
}
