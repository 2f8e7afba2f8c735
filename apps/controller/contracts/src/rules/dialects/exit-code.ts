import { cleanText } from '../../schema/text.js';
import {
  type DialectEnd,
  type DialectEvent,
  type DialectReader,
  EXIT_SKIP,
  type SuiteExit,
  wasNotStarted,
} from './dialect.js';

/** Longest line that a reason repeats, in characters. */
const LINE_KEPT = 300;

/** 0 is a pass, 4 a skip, 126 and 127 a command that was not there, anything else a failure; the last line of the output is the reason. */
export class ExitCodeReader implements DialectReader {
  #last = '';

  line(text: string): DialectEvent[] {
    // A metric is a line of its own kind, and no reason.
    if (!text.startsWith('# metric') && text.trim() !== '') this.#last = text.slice(0, LINE_KEPT + 1);
    return [];
  }

  end({ code, how }: SuiteExit): DialectEnd {
    const last = this.#last === '' ? '' : cleanText(this.#last.trim(), LINE_KEPT);
    if (code === 0) return { events: [], whole: { status: 'pass', reason: null } };
    if (code === EXIT_SKIP) return { events: [], whole: { status: 'skip', reason: last || `it ${how}` } };
    const status = wasNotStarted({ code }) ? 'no-result' : 'fail';
    return { events: [], whole: { status, reason: `it ${how}${last === '' ? '' : `: ${last}`}` } };
  }
}
