import { CALL_TRACE, INSTRUCTION } from './frames.js';
import type { CrashType } from '../../schema/crash-types.js';
import type { Choice } from './hangs.js';

/** How a guilty function is found: patterns are looked for in turn, each from the line behind the last. */
export type Step =
  /** Goes to the first line that matches; a group is a frame on top of the stack that follows. */
  | RegExp
  /** Takes frames until another stack starts, or the next step matches. */
  | 'stack';

/** One kind of report. */
export interface CrashKind {
  type: CrashType;
  /** `crash` ends the kernel (with oops=panic); `warning` taints what ran while it was printed. */
  severity: 'crash' | 'warning';
  /** Text that stands in the header line; `header` is matched from there on. */
  has: string;
  header: RegExp;
  /** Lines without which the report is not whole, looked for in turn behind the header. */
  details?: readonly RegExp[];
  /**
   * Title: `{h1}` is the first group of the header, `{d1}` the first of all details, `{fn}` the guilty function.
   * Where the kind has a canonical title on syzkaller's dashboards, it is that one.
   */
  title: string;
  steps?: readonly Step[];
  /** Further steps, each taken when those before lead to no function. */
  otherwise?: readonly (readonly Step[])[];
  /** Helpers of this kind, beside those of all. */
  skip?: RegExp;
  /** Chooses the guilty one out of all frames; the first, if left out. */
  choose?: Choice;
  /** Group of the header that names a function when the stack was lost; the report is corrupted all the same. */
  named?: number;
  /** No stack belongs to this report. */
  stackless?: true;
  /** The header alone says that the beginning is lost. */
  cut?: true;
  /** A panic by which another report ends the kernel. */
  ends?: true;
  /** Does not begin a report inside of another one: the second line of an oops, a panic. */
  follows?: true;
  /** One line by itself; a report around it goes on. */
  aside?: true;
}

/** The faulting instruction, else the top of the stack: a call through NULL has no instruction, but a caller. */
export const FROM_INSTRUCTION: readonly Step[] = [INSTRUCTION, CALL_TRACE, 'stack'];
export const FROM_STACK: readonly Step[] = [CALL_TRACE, 'stack'];
