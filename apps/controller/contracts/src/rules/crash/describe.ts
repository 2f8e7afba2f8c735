import { REPORT_CALLS_MAX, reportCallOf, type ReportCall } from './calls.js';
import { frameOf, stackStartOf } from './frames.js';
import { findGuilty, FRAMES_MAX } from './guilty.js';
import type { CrashKind } from './kind.js';
import type { CrashType } from '../../schema/crash-types.js';
import type { Header } from './kinds.js';
import { rustName } from './rust-name.js';
import { cleanTitle } from './title.js';

/** What the lines of one report say. */
export interface Description {
  title: string;
  type: CrashType;
  /** Cut off, mixed with another report, or without the stack that belongs to it: the title may be wrong. */
  corrupted: boolean;
  frames: string[];
  /** Addresses of code that it names, each once, in its order; at most REPORT_CALLS_MAX. */
  calls: ReportCall[];
  /** Letters of the kernel's taint, such as `GW`; empty = not tainted, null = the report does not say. */
  taint: string | null;
}

/** A time in the middle of a title: two lines became one. */
const MIXED_TITLE = /\[ {0,12}\d{1,10}\.\d{1,9}\]/;

/** Describes a report. `lines` are without their prefixes and begin with the header's; see `Header`. */
export function describeReport(header: Header, lines: readonly string[]): Description {
  const own = [(lines[0] ?? '').slice(header.at), ...lines.slice(1)];
  for (const kind of header.kinds) {
    const description = describeAs(kind, own);
    if (description !== null) return description;
  }
  const kind = header.kinds[0];
  return {
    title: cleanTitle(own[0] ?? ''),
    type: kind?.type ?? 'bug',
    corrupted: true,
    frames: framesIn(own).map(rustName),
    calls: callsIn(own),
    taint: taintOf(own),
  };
}

/** Null when a line is missing without which the title cannot be told. */
function describeAs(kind: CrashKind, lines: readonly string[]): Description | null {
  const details: string[] = [];
  let next = 1;
  for (const detail of kind.details ?? []) {
    const at = lines.findIndex((line, index) => index >= next && detail.test(line));
    if (at === -1) return null;
    details.push(...(detail.exec(lines[at] ?? '')?.slice(1) ?? []).map((group) => group ?? ''));
    next = at + 1;
  }
  const groups = kind.header.exec(lines[0] ?? '')?.slice(1) ?? [];
  const found = kind.steps === undefined ? null : findGuilty(kind, lines);
  const raw = kind.title.replaceAll(/\{(fn|[hd]\d)\}/g, (_, name: string) => {
    if (name === 'fn') return found?.guilty ?? groups[(kind.named ?? 0) - 1] ?? 'corrupted';
    return (name.startsWith('h') ? groups : details)[Number(name[1]) - 1] ?? '';
  });
  const corrupted =
    kind.cut === true ||
    (found !== null && found.guilty === null) ||
    MIXED_TITLE.test(raw) ||
    (kind.stackless !== true && !hasStacks(lines));
  return {
    title: cleanTitle(raw),
    type: kind.type,
    corrupted,
    frames: (found?.frames.length ? found.frames : framesIn(lines)).map(rustName),
    calls: callsIn(lines),
    taint: taintOf(lines),
  };
}

/** The kernel prints one letter for each place, and a blank where a place is not set. */
const TAINT = /\b(?:Not tainted|Tainted: ([A-Z][A-Z ]{0,40}))/;

function taintOf(lines: readonly string[]): string | null {
  for (const line of lines) {
    const match = TAINT.exec(line);
    if (match !== null) return (match[1] ?? '').replaceAll(' ', '');
  }
  return null;
}

function callsIn(lines: readonly string[]): ReportCall[] {
  const calls = new Map<string, ReportCall>();
  for (const line of lines) {
    const found = reportCallOf(line);
    if (found !== null && !calls.has(found.call) && calls.size < REPORT_CALLS_MAX) calls.set(found.call, found);
  }
  return [...calls.values()];
}

function framesIn(lines: readonly string[]): string[] {
  const frames: string[] = [];
  for (const line of lines) {
    const frame = frameOf(line);
    if (frame !== null && frames.length < FRAMES_MAX) frames.push(frame);
  }
  return frames;
}

/** Lines behind the start of a stack in which a frame must come. */
const STACK_BEGINS_WITHIN = 15;

/** Whether there is a stack, and a frame behind the first start of each sort of stack. */
function hasStacks(lines: readonly string[]): boolean {
  const seen = new Set<number>();
  for (const [index, line] of lines.entries()) {
    const start = stackStartOf(line);
    if (start === -1 || seen.has(start)) continue;
    seen.add(start);
    // A report that ends here was cut.
    if (lines.length - index < 3 || !beginsBehind(lines, index)) return false;
  }
  return seen.size > 0 || hasBareStack(lines);
}

/** RISC-V prints the stack of an oops behind its registers, without a line before it. */
function hasBareStack(lines: readonly string[]): boolean {
  const registers = lines.findIndex((line) => line.startsWith('epc : '));
  return registers !== -1 && lines.slice(registers).some((line) => line.startsWith('[<') && frameOf(line) !== null);
}

function beginsBehind(lines: readonly string[], start: number): boolean {
  for (const line of lines.slice(start + 1, start + 1 + STACK_BEGINS_WITHIN)) {
    if (stackStartOf(line) !== -1) return false;
    if (line.includes('(stack is not available)') || frameOf(line) !== null) return true;
  }
  return false;
}
