/**
 * What consoles, logs and dmesg put before a line: a record of /dev/kmsg, or date, host and program of syslog and the
 * journal, or when a recorder of consoles or a CI system got the line; facility and level of `dmesg -x`; the level `<6>` of printk and of systemd; the time `[    1.234567]` with its caller `[    T1]`. Each part has one
 * way to match and a maximum, so that a line costs its length once.
 */
export interface ConsolePrefix {
  /** Characters; 0 when there is none. One blank after the time belongs to it, indentation does not. */
  length: number;
  /** The program that syslog or the journal names. */
  program: string | null;
  /** Whether it is that of a record of /dev/kmsg. */
  isRecord: boolean;
  /** Whether it has printk's time, or another sign that printk wrote the line. */
  hasTime: boolean;
  /** Who printed it, where printk says so: `T412` a task, `C1` a CPU in an interrupt. */
  caller: string | null;
}

const SYSLOG =
  /(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[^\s,]{0,32}) \S{1,64} ([\w.@/-]{1,64})(?:\[\d{1,10}\])?: /y;
/** Level, number, microseconds and flags, maybe with the caller. */
const KMSG = /\d{1,9},\d{1,15},\d{1,15},[-c+][^;]{0,64};/y;
const KMSG_CALLER = /,caller=([CT]\d{1,10})/;
/** What may stand before the time in the same line of a serial console: a note of lost messages, a login prompt. */
const INTERRUPTED = /(?:\*\* \d{1,9} printk messages dropped \*\* )?(?:[^[]{0,200} login: )?/y;
const LEVEL = /<\d{1,3}>/y;
/** What `dmesg -x` says of a message of the kernel. */
const FACILITY = /kern {1,4}:(?:emerg|alert|crit|err|warn|notice|info|debug) {0,3}: /y;
/** When a line was received, by another clock, in front of printk's time: of a line without that it is a program's own. */
const RECEIVED =
  /(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\w.:,+-]{0,20}\]? ?|\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\] ?)(?=(?:<\d{1,3}>)?\[ {0,12}\d{1,12}\.\d)/y;
/** Seconds, or the clocks of `dmesg -T` and of `dmesg --time-format=iso`; then the caller. */
const TIME =
  /(?:\[(?: {0,12}\d{1,12}\.\d{1,9}|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\]|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{6}[+-]\d\d:\d\d)(?:\[ {0,12}([CT]\d{1,10})\])? ?/y;

/** A note of lost messages at the beginning of a line, or behind a login prompt. */
const DROPPED = /(?:[^[*]{0,200} login: )?\*\* (\d{1,9}) printk messages dropped \*\*/y;

/**
 * How many messages the kernel says that it dropped before this line, because its console was too slow for them; 0 when it says
 * nothing of the kind. Newer kernels print that as a line of its own, older ones in front of the next message.
 * @param line without control sequences
 */
export const droppedMessages = (line: string): number => Number(matchAt(DROPPED, line, 0)?.[1] ?? 0);

/** The prefix of a line. Pure. */
export function readConsolePrefix(line: string): ConsolePrefix {
  const record = matchAt(KMSG, line, 0);
  const logged = record === null ? matchAt(SYSLOG, line, 0) : null;
  const facility = record === null && logged === null ? matchAt(FACILITY, line, 0) : null;
  const begun = (record ?? logged ?? facility)?.[0].length ?? 0;
  const from = begun + (matchAt(RECEIVED, line, begun)?.[0].length ?? 0);
  const time = timeAt(line, from) ?? timeAt(line, from + (matchAt(INTERRUPTED, line, from)?.[0].length ?? 0));
  return {
    length: time === null ? afterLevel(line, from) : time.index + time[0].length,
    program: logged?.[1] ?? null,
    isRecord: record !== null,
    hasTime: time !== null || facility !== null,
    caller: time?.[1] ?? (record === null ? null : (KMSG_CALLER.exec(record[0])?.[1] ?? null)),
  };
}

function matchAt(part: RegExp, line: string, at: number): RegExpExecArray | null {
  part.lastIndex = at;
  return part.exec(line);
}

const timeAt = (line: string, at: number): RegExpExecArray | null => matchAt(TIME, line, afterLevel(line, at));

const afterLevel = (line: string, at: number): number => at + (matchAt(LEVEL, line, at)?.[0].length ?? 0);
