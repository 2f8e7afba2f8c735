import { cutText } from '../../schema/text.js';
import { messagesIn, parseConsoleLine } from './console-line.js';
import { frameOf } from './frames.js';
import { describeReport, type Description } from './describe.js';
import type { CrashType } from '../../schema/crash-types.js';
import { isOuterHeader } from './inlined.js';
import { headerOf, type Header } from './kinds.js';

/** Lines of one report that are looked at; a report with all held locks and all tasks' stacks has some thousands. */
const REPORT_LINES_MAX = 1500;
/** Characters that are kept of one line of a report. */
const REPORT_LINE_MAX = 600;
/** Reports of different tasks and CPUs that may be open at once. */
const OPEN_MAX = 8;
/** Lines in a row that belong to no report; then the report before them is over. */
const IDLE_LINES_MAX = 64;
/** Lines of a report behind which the panic's stack, which is the same again, adds nothing. */
const WHOLE_REPORT_LINES = 22;
const WHOLE_KMSAN_LINES = 16;

/** A report of the kernel in a console log. */
export interface CrashReport extends Description {
  /** `crash` ended the kernel, or does so with oops=panic; `warning` taints what ran while it was printed. */
  severity: 'crash' | 'warning';
  /** First and last line in the log, counted from 1 unless the lines were pushed with numbers of their own. */
  startLine: number;
  endLine: number;
}

/** What one line says about the health of the kernel that wrote it. */
export interface KernelAlarm {
  severity: 'crash' | 'warning';
  type: CrashType;
}

/** What a line that was pushed is. */
export interface PushedAlarm extends KernelAlarm {
  /** False where it goes on with a report: the second line of an oops, a panic. */
  begins: boolean;
}

/** Lines that go on with a report: frames, registers, boxes, dumps. Everything indented counts as well. */
const PART =
  /^(?:$|[ \t>]|=====|-----|---\[ end |\*\*\*|(?:Call [Tt]race|Modules linked in|CPU|Hardware name|Code|Tainted|Workqueue|Sending NMI|NMI backtrace|[RE]?[SI]P|[RE][A-Z0-9]{2}|R\d\d|[CDEFG]S|CR\d|DR\d|ORIG_RAX|Allocated|Freed|Read|Write|The buggy|Memory state|page|raw|head|flags|stack backtrace|and |but |which |other info|the existing|Showing all locks|Possible unsafe|Last potentially|pc|lr|sp|x\d\d?)\b|-> #|<|\d{1,3} locks? held|#\d)/;

interface OpenReport {
  header: Header;
  /** A report of the same context that had no stack yet when this one began: the stack that follows serves both. */
  before: OpenReport | null;
  hasStack: boolean;
  startLine: number;
  endLine: number;
  lines: string[];
  severity: 'crash' | 'warning';
  /** The rest only repeats, or belongs to something else. */
  whole: boolean;
  /** It asked other CPUs for their stacks, which they print themselves. */
  asksCpus: boolean;
  idle: number;
  described: Description | null;
}

/** What a line alone says, null for an ordinary line. A title needs the lines behind it: see CrashReader. */
export function readKernelAlarm(line: string): KernelAlarm | null {
  const { context, text } = parseConsoleLine(line);
  const kind = headerOf(text, context !== '')?.kinds[0];
  return kind === undefined ? null : { severity: kind.severity, type: kind.type };
}

/**
 * Reads the log of a console line by line and finds the kernel's reports in it. Needs memory for the reports that
 * are open (at most OPEN_MAX of REPORT_LINES_MAX lines), time in proportion to the lines. Never throws: what is no
 * report is passed over.
 */
export class CrashReader {
  #line = 0;
  readonly #open = new Map<string, OpenReport>();
  #latest: CrashReport | null = null;

  readonly #onReport: (report: CrashReport) => void;

  /**
   * @param onReport is told of each report when it is over. A panic that comes later and only ends this report still
   *   makes its severity `crash`.
   */
  constructor(onReport: (report: CrashReport) => void) {
    this.#onReport = onReport;
  }

  /**
   * Takes the next line; says what the line is, if it begins or goes on with a report by a header.
   * @param line its number, if not the one behind the last
   */
  push(raw: string, line = this.#line + 1): PushedAlarm | null {
    this.#line = line;
    let found: PushedAlarm | null = null;
    for (const message of messagesIn(raw)) found = this.#pushMessage(message) ?? found;
    return found;
  }

  #pushMessage(raw: string): PushedAlarm | null {
    const { context, text, unsure } = parseConsoleLine(raw);
    // Another kernel starts: what it says belongs to no report of the one before.
    if (text.startsWith('Linux version ')) this.end();
    const header = unsure ? null : headerOf(text, context !== '');
    const kind = header?.kinds[0];
    const open = this.#open.get(context);
    if (header === null || kind === undefined) {
      if (!unsure) this.#takeLine(context, text);
      return null;
    }
    if (open !== undefined && this.#isAgain(open, header, text)) {
      this.#renew(open, header, text);
      return { severity: kind.severity, type: kind.type, begins: false };
    }
    const begins = kind.follows !== true || !this.#isFollowedBy(open, header);
    if (kind.aside === true) this.#report(this.#newReport(header, text, null));
    else if (begins) this.#begin(context, header, text, open ?? null);
    else this.#follow(open, header, text);
    return { severity: kind.severity, type: kind.type, begins };
  }

  /** Reports that are not over yet, as far as they were read. */
  open(): CrashReport[] {
    return [...this.#open.values()].flatMap((report) => chain(report).map(reportOf));
  }

  /** The log ends here: reports that are open are over. */
  end(): void {
    for (const [context, report] of this.#open) this.#close(context, report);
  }

  /** The second line of an oops belongs to its first; a panic to the report that caused it, on whichever CPU it is printed. */
  #isFollowedBy(open: OpenReport | undefined, header: Header): boolean {
    if (header.kinds[0]?.ends === true) return open !== undefined || this.#open.size > 0 || this.#latest !== null;
    return open !== undefined && (open.severity === 'crash' || !open.hasStack);
  }

  #isAgain(open: OpenReport, header: Header, text: string): boolean {
    return open.lines.length === 1 && isOuterHeader(text.slice(header.at), open.lines[0] ?? '');
  }

  /** Of the functions that share a header the outermost gives the title, those inlined tell of its kind: `debug_print_object`. */
  #renew(open: OpenReport, header: Header, text: string): void {
    const titles = header.kinds.map(({ title }) => title);
    const inlined = open.header.kinds.filter(({ title }) => !title.includes('{h') && !titles.includes(title));
    open.header = { at: 0, kinds: [...inlined, ...header.kinds] };
    open.lines = [cutText(text.slice(header.at), REPORT_LINE_MAX)];
    open.endLine = this.#line;
    open.described = null;
    if (open.before !== null) this.#append(open.before, text);
  }

  #follow(own: OpenReport | undefined, header: Header, text: string): void {
    const kind = header.kinds[0];
    const ended = own ?? [...this.#open.values()].at(-1) ?? this.#latest;
    if (ended !== null && kind?.severity === 'crash') ended.severity = 'crash';
    if (own === undefined) return;
    if (kind?.type === 'panic') {
      const enough = own.header.kinds[0]?.type === 'kmsan' ? WHOLE_KMSAN_LINES : WHOLE_REPORT_LINES;
      if (own.lines.length >= enough) own.whole = true;
    }
    this.#append(own, text);
    own.endLine = this.#line;
    own.described = null;
  }

  #begin(context: string, header: Header, text: string, open: OpenReport | null): void {
    // Where it is known who printed a line, a second header in one task means that the report itself ran into it.
    const before = open !== null && !open.hasStack && open.before === null && isCaller(context) ? open : null;
    if (before === null && open !== null) this.#close(context, open);
    if (before !== null) this.#append(before, text);
    const oldest = this.#open.entries().next().value;
    if (this.#open.size >= OPEN_MAX && oldest !== undefined && !this.#open.has(context)) this.#close(...oldest);
    this.#open.set(context, this.#newReport(header, text, before));
  }

  #newReport(header: Header, text: string, before: OpenReport | null): OpenReport {
    return {
      header: { at: 0, kinds: header.kinds },
      before,
      hasStack: false,
      startLine: this.#line,
      endLine: this.#line,
      lines: [cutText(text.slice(header.at), REPORT_LINE_MAX)],
      severity: header.kinds[0]?.severity ?? 'warning',
      whole: false,
      asksCpus: false,
      idle: 0,
      described: null,
    };
  }

  #takeLine(context: string, text: string): void {
    if (this.#open.size === 0) return;
    const own = this.#open.get(context);
    if (own !== undefined) this.#takeOwn(context, own, text);
    if (!context.startsWith('C')) return;
    for (const [other, report] of this.#open) {
      if (other !== context && report.asksCpus) this.#append(report, text);
    }
  }

  #takeOwn(context: string, report: OpenReport, text: string): void {
    if (text.includes('Disabling lock debugging due to kernel taint')) return;
    if (text.includes('Sending NMI from CPU')) report.asksCpus = true;
    if (isForeignStack(context, text)) report.whole = true;
    this.#append(report, text);
    if (report.before !== null) this.#append(report.before, text);
    if (PART.test(text)) {
      report.idle = 0;
      report.endLine = this.#line;
      return;
    }
    report.idle += 1;
    if (report.idle > IDLE_LINES_MAX) this.#close(context, report);
  }

  #append(report: OpenReport, text: string): void {
    if (report.whole || report.lines.length >= REPORT_LINES_MAX) return;
    report.lines.push(cutText(text, REPORT_LINE_MAX));
    if (frameOf(text) !== null) report.hasStack = true;
    report.described = null;
  }

  #close(context: string, open: OpenReport): void {
    this.#open.delete(context);
    for (const report of chain(open)) this.#report(report);
  }

  #report(over: OpenReport): void {
    this.#latest = reportOf(over);
    this.#onReport(this.#latest);
  }
}

/** A report behind the one that it had run into. */
function chain(open: OpenReport): OpenReport[] {
  return open.before === null ? [open] : [open.before, open];
}

/** Whether lines of a context come from one task or one CPU. */
function isCaller(context: string): boolean {
  return context !== '' && context !== 'console';
}

/** Messages with a stack that are no faults: in the middle of a report of unknown context they end its text. */
function isForeignStack(context: string, text: string): boolean {
  return (
    !isCaller(context) &&
    (text.includes('vmalloc: allocation failure:') ||
      text.includes('FAULT_INJECTION: forcing a failure') ||
      text.includes('FAULT_FLAG_ALLOW_RETRY missing'))
  );
}

function reportOf(open: OpenReport): CrashReport {
  open.described ??= describeReport(open.header, open.lines);
  return { ...open.described, severity: open.severity, startLine: open.startLine, endLine: open.endLine };
}
