import { readKernelAlarm, type CrashType, type LogStream } from '@peerlab/contracts';
import { plainLine } from './ansi.js';

/** How a line is highlighted: an error, at which the keys n and p stop, a warning, or not at all. */
export type LineTone = 'error' | 'warning' | null;

const NOT_OK = /^\s*not ok \d/;
const EXCUSED = /# (?:SKIP|TODO|XFAIL)/;
const BUILD_FAILED = /(?:^|[\s:])(?:fatal )?error:|^make(?:\[\d+\])?: \*\*\*|Hunk #\d+ FAILED|^@error /;
const AGENT_FAILED = /\b(?:failed|refused|error|timed out)\b/i;

/** Reports after which the kernel may go on, but its memory is not what it should be: no mere warnings. */
const MEMORY_IS_WRONG: ReadonlySet<CrashType> = new Set(['kasan', 'kmsan', 'kfence', 'slab', 'bad-page', 'stack']);

/** Highlighting of a line, by the stream that it belongs to. */
export function toneOf(stream: LogStream, text: string): LineTone {
  const line = plainLine(text);
  const alarm = readKernelAlarm(line);
  if (alarm !== null) return alarm.severity === 'crash' || MEMORY_IS_WRONG.has(alarm.type) ? 'error' : 'warning';
  switch (stream) {
    case 'test':
      return (NOT_OK.test(line) && !EXCUSED.test(line)) || line.startsWith('Bail out!') ? 'error' : null;
    case 'build':
      return BUILD_FAILED.test(line) ? 'error' : /\bwarning:/.test(line) ? 'warning' : null;
    case 'agent':
      return AGENT_FAILED.test(line) ? 'error' : null;
    case 'serial':
    case 'kernel':
      return null;
  }
}

const KTAP_OK = /^\s*ok \d/;
const KTAP_FRAME = /^\s*(?:1\.\.\d|(?:KTAP|TAP) version \d)/;

/** What a line of a suite's output is, as a class name of styles/logs.css; empty for what is none of these. */
export function ktapClass(line: string): '' | 'ktap-ok' | 'ktap-not-ok' | 'ktap-excused' | 'ktap-note' | 'ktap-case' {
  const isNotOk = NOT_OK.test(line);
  if ((isNotOk || KTAP_OK.test(line)) && EXCUSED.test(line)) return 'ktap-excused';
  if (isNotOk || line.startsWith('Bail out!')) return 'ktap-not-ok';
  if (KTAP_OK.test(line)) return 'ktap-ok';
  if (line.startsWith('# test: ')) return 'ktap-case';
  return KTAP_FRAME.test(line) || /^\s*#/.test(line) ? 'ktap-note' : '';
}

/** Whether the keys n and p stop at a line. */
export function isErrorLine(stream: LogStream, text: string): boolean {
  return toneOf(stream, text) !== null;
}
