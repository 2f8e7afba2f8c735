import { CrashReader, recordLines, type CrashReport } from '@peerlab/contracts';
import { script } from '../machine/command.js';
import type { RunningCommand, Session } from '../machine/protocols.js';
import type { AttemptSpool } from '../spool/attempt-spool.js';
import { messageOf } from '../error-message.js';
import { pause } from '../timing.js';
import type { KernelIdentity } from './kernel-identity.js';

interface KernelRecord {
  seq: number;
  text: string;
}

/** Numbers that JavaScript can count with: what a record claims ends up in a gap's count. */
const RECORD = /^\d{1,9},(\d{1,15}),(\d{1,15}),[^;]{0,200};/;

/** One record of /dev/kmsg as dmesg prints it; null for its continuation and property lines. */
export function parseKmsg(line: string): KernelRecord | null {
  const match = RECORD.exec(line);
  if (match === null) return null;
  const micros = (match[2] ?? '0').padStart(7, '0');
  const seconds = micros.slice(0, -6).padStart(5, ' ');
  return { seq: Number(match[1]), text: `[${seconds}.${micros.slice(-6)}] ${line.slice(match[0].length)}` };
}

/** Reports kept for looking back: a kernel that warns at every fault would fill the memory. */
const KEPT_REPORTS = 10_000;

/** Records that one jump of the numbers may claim as missed; the largest ring buffers hold some millions. */
const MISSED_MAX = 1_000_000_000;
/** A follower that ends without a new record is started again this often, ever later. */
const IDLE_TRIES_MAX = 5;
const TRY_AGAIN_MS = 1000;

/** What a kernel log tells its attempt. */
interface KernelLogListener {
  note(text: string): void;
  /** A line could not be taken. */
  fail(fault: unknown): void;
}

/** Follows the kernel's own log over SSH into the kernel stream: every record of a boot once. */
export class KernelLog {
  #bootId: string | null = null;
  #nextKmsg = 0;
  #command: RunningCommand | null = null;
  /** Readers in a row that ended without a new record. */
  #idleTries = 0;
  readonly #reports: { at: number; report: CrashReport }[] = [];
  /** When the first records of the reports arrived that are open, by their numbers. */
  readonly #began = new Map<number, number>();
  readonly #reader = new CrashReader((report) => this.#keep(report));

  readonly #spool: AttemptSpool;
  readonly #listener: KernelLogListener;

  constructor(spool: AttemptSpool, listener: KernelLogListener) {
    this.#spool = spool;
    this.#listener = listener;
  }

  /** Starts following on a connection; after a reboot records are counted from zero. */
  async attach(session: Session, kernel: KernelIdentity): Promise<void> {
    this.detach();
    if (this.#bootId !== kernel.bootId) {
      this.#bootId = kernel.bootId;
      this.#nextKmsg = 0;
      this.#idleTries = 0;
      this.#spool.appendLine('kernel', `# kernel ${kernel.release}, boot ${kernel.bootId}`);
    }
    const command = await session.start(script('kmsg-follow', {}, 'exec cat /dev/kmsg'), {
      // The middle of a very long line is no record, whatever it looks like.
      onStdoutLine: (line, continues) => {
        if (!continues) this.#take(line);
      },
      onStderrLine: () => undefined,
      backpressure: this.#spool.backpressure,
    });
    this.#command = command;
    const first = this.#nextKmsg;
    void command.ended.then((end) => {
      if (this.#command !== command || end.lost || session.lost.aborted) return;
      if (end.fault !== undefined) {
        this.#listener.fail(end.fault);
        return;
      }
      this.#attachAgain(session, kernel, this.#nextKmsg > first).catch((error: unknown) =>
        this.#listener.note(`kernel log: ${messageOf(error)}`),
      );
    });
  }

  /**
   * The reader falls out (EPIPE) when the ring buffer overtakes it; while connected, go on. One that ends without
   * anything new is no such reader: it is tried again a few times, with pauses, so that a machine without /dev/kmsg
   * costs no loop.
   */
  async #attachAgain(session: Session, kernel: KernelIdentity, progressed: boolean): Promise<void> {
    const command = this.#command;
    this.#idleTries = progressed ? 0 : this.#idleTries + 1;
    if (this.#idleTries > IDLE_TRIES_MAX) {
      this.#listener.note('kernel log: its reader ends at once, again and again; it is not followed any more');
      return;
    }
    if (!progressed) await pause(TRY_AGAIN_MS * this.#idleTries, session.lost).catch(() => undefined);
    if (this.#command === command && !session.lost.aborted) await this.attach(session, kernel);
  }

  /**
   * Reads the ring buffer to its end, so that what the follower has not delivered yet is there.
   * @returns false when the machine could not read it, which is noted
   */
  async catchUp(session: Session, signal?: AbortSignal): Promise<boolean> {
    // dd fails at the end of the buffer too (EAGAIN); whether it can be opened is asked before.
    const body = 'exec 3</dev/kmsg || exit 1\ndd iflag=nonblock bs=8192 <&3 2>/dev/null\nexit 0';
    const result = await session.exec(script('kmsg-dump', {}, body), signal === undefined ? {} : { signal });
    for (const line of result.stdout.split('\n')) this.#take(line);
    if (result.code === 0) return true;
    this.#listener.note(`kernel log: /dev/kmsg could not be read: ${result.stderr.trim().slice(-300)}`);
    return false;
  }

  detach(): void {
    const command = this.#command;
    this.#command = null;
    command?.close();
  }

  /** Titles of the kernel's reports whose first lines arrived between two `performance.now()` moments. */
  warningsBetween(from: number, to: number): string[] {
    const open = this.#reader.open().map((report) => ({ at: this.#beganAt(report), report }));
    const within = [...this.#reports, ...open].filter(({ at }) => at >= from && at <= to);
    return [...new Set(within.map(({ report }) => report.title))];
  }

  /** Reports of the kernel so far, those that are open as far as they were read. */
  get reports(): CrashReport[] {
    return [...this.#reports.map(({ report }) => report), ...this.#reader.open()];
  }

  #beganAt({ startLine }: CrashReport): number {
    return this.#began.get(startLine) ?? performance.now();
  }

  #keep(report: CrashReport): void {
    this.#reports.push({ at: this.#beganAt(report), report });
    this.#began.delete(report.startLine);
    if (this.#reports.length >= 2 * KEPT_REPORTS) this.#reports.splice(0, KEPT_REPORTS);
  }

  #take(line: string): void {
    const record = parseKmsg(line);
    if (record === null || record.seq < this.#nextKmsg) return;
    // The ring buffer is finite: records that were overwritten before they were read are counted.
    const missed = Math.min(record.seq - this.#nextKmsg, MISSED_MAX);
    if (missed > 0) this.#spool.leaveOut('kernel', { lines: missed, bytes: 0, reason: 'source-overrun' });
    this.#nextKmsg = record.seq + 1;
    this.#spool.appendLine('kernel', record.text);
    // A message of several lines is one record, with its line ends escaped.
    for (const part of recordLines(line)) {
      const alarm = this.#reader.push(part, record.seq);
      if (alarm?.begins === true) this.#began.set(record.seq, performance.now());
    }
  }
}
