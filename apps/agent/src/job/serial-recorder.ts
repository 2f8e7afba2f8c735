import { createCrashWatch } from '@peerlab/contracts';
import { withoutAnsi } from '../machine/lines.js';
import type { Console, ConsoleFollower } from '../machine/protocols.js';
import type { AttemptSpool } from '../spool/attempt-spool.js';

export interface SerialLine {
  seq: number;
  text: string;
}

/** What a crash looked like on the console; both ends included. */
export interface SerialCrash {
  signature: string;
  fromSeq: number;
  toSeq: number;
}

/** Lines kept for looking back; a boot with ignore_loglevel prints about a thousand. */
const KEPT_LINES = 20_000;

/** Writes the console into the attempt's serial stream, from its start to its very end. */
export class SerialRecorder {
  private readonly lines: SerialLine[] = [];
  private follower: ConsoleFollower | null = null;
  private nextSeq: number;

  private constructor(private readonly spool: AttemptSpool) {
    this.nextSeq = spool.lineCounts().serial ?? 0;
  }

  /**
   * Follows the console from now on; in an attempt that was interrupted, from where its stream
   * began, leaving out the lines that are spooled already.
   */
  static async start(console: Console | null, spool: AttemptSpool): Promise<SerialRecorder> {
    const recorder = new SerialRecorder(spool);
    if (console === null) return recorder;
    const began = spool.memory.serialStartBytes;
    let known = began === null ? 0 : recorder.nextSeq;
    recorder.follower = await console.follow(began ?? 'end', (line) => {
      if (known > 0) known -= 1;
      else recorder.take(line);
    });
    if (began === null) spool.remember({ serialStartBytes: recorder.follower.offsetBytes });
    return recorder;
  }

  /** Number of the line that comes next. */
  get next(): number {
    return this.nextSeq;
  }

  /** Lines from number `seq` on, without terminal control sequences. */
  since(seq: number): SerialLine[] {
    const first = this.lines.findIndex((line) => line.seq >= seq);
    return first === -1 ? [] : this.lines.slice(first);
  }

  /** The last thing that the console said, complete line or not; null when it said nothing. */
  lastWords(sinceSeq: number): string | null {
    const partial = withoutAnsi(this.follower?.partial ?? '').trim();
    if (partial !== '') return partial;
    return (
      this.since(sinceSeq)
        .findLast((line) => line.text.trim() !== '')
        ?.text.trim() ?? null
    );
  }

  /** Looks for a crash in lines from `seq` on; ask as often as wanted, each line is read once. */
  watchFrom(seq: number): () => SerialCrash | null {
    const watch = createCrashWatch();
    const pushed: number[] = [];
    let position = seq;
    return () => {
      for (const line of this.since(position)) {
        watch.push(line.text);
        pushed.push(line.seq);
        position = line.seq + 1;
      }
      const crash = watch.crash();
      if (crash === null) return null;
      return {
        signature: crash.signature,
        fromSeq: pushed[crash.firstLine] ?? seq,
        toSeq: Math.max(seq, this.nextSeq - 1),
      };
    };
  }

  async stop(): Promise<void> {
    await this.follower?.stop();
    this.follower = null;
  }

  private take(line: string): void {
    const seq = this.spool.appendLine('serial', line);
    this.nextSeq = this.spool.lineCounts().serial ?? seq + 1;
    this.lines.push({ seq, text: withoutAnsi(line) });
    if (this.lines.length > KEPT_LINES) this.lines.splice(0, this.lines.length - KEPT_LINES);
  }
}
