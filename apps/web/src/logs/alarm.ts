import {
  isExpected,
  isFailed,
  parseKtapLine,
  readKernelAlarm,
  statusOfLine,
  type CrashType,
  type KtapStatus,
  type LogStream,
} from '@peerlab/contracts';
import { plainLine } from './ansi.js';

/** How a line is highlighted: an error, at which the keys n and p stop, a warning, or not at all. */
export type LineTone = 'error' | 'warning' | null;

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
      return isTestFailed(ktapOf(line)) ? 'error' : null;
    case 'build':
      return BUILD_FAILED.test(line) ? 'error' : /\bwarning:/.test(line) ? 'warning' : null;
    case 'agent':
      return AGENT_FAILED.test(line) ? 'error' : null;
    case 'serial':
    case 'kernel':
      return null;
  }
}

const KTAP_FRAME = /^\s*(?:1\.\.\d|(?:KTAP|TAP) version \d)/;
const NOTE = /^\s*#/;

/** What a line of KTAP says of a test or of the whole suite; null for every other line. */
function ktapOf(line: string): KtapStatus | 'bail-out' | null {
  if (NOTE.test(line)) return null;
  const event = parseKtapLine(line);
  if (event?.type === 'bail-out') return 'bail-out';
  return event?.type === 'result' ? statusOfLine(event) : null;
}

const isTestFailed = (said: ReturnType<typeof ktapOf>): boolean =>
  said === 'bail-out' || (said !== null && isFailed(said) && !isExpected(said));

/** What a line of a suite's output is, as a class name of styles/logs.css; empty for what is none of these. */
export function ktapClass(line: string): '' | 'ktap-ok' | 'ktap-not-ok' | 'ktap-excused' | 'ktap-note' | 'ktap-case' {
  const said = ktapOf(line);
  if (said !== null) return isTestFailed(said) ? 'ktap-not-ok' : said === 'pass' ? 'ktap-ok' : 'ktap-excused';
  if (line.startsWith('# test: ')) return 'ktap-case';
  return KTAP_FRAME.test(line) || NOTE.test(line) ? 'ktap-note' : '';
}

/** Whether the keys n and p stop at a line. */
export function isErrorLine(stream: LogStream, text: string): boolean {
  return toneOf(stream, text) !== null;
}
