import { cleanText, CrashWatch, cutText, droppedMessages, LOG_LINE_MAX, plainText } from '@peerlab/contracts';
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

/** Lines and characters kept for looking back; a boot with ignore_loglevel prints about a thousand lines. */
const KEPT_LINES = 20_000;
const KEPT_CHARACTERS = 8 * 1024 * 1024;

/** Characters of the last words that a message quotes. */
const LAST_WORDS_MAX = 300;

/** Writes the console into the attempt's serial stream, from its start to its very end. */
export class SerialRecorder {
  readonly #lines: SerialLine[] = [];
  #keptCharacters = 0;
  /** Lines that are not kept any more. */
  #forgotten = 0;
  #follower: ConsoleFollower | null = null;
  #nextSeq: number;

  readonly #spool: AttemptSpool;

  private constructor(spool: AttemptSpool) {
    this.#spool = spool;
    this.#nextSeq = spool.nextOf('serial');
  }

  /**
   * Follows the console from now on; in an attempt that was interrupted, from where its stream
   * began, leaving out the lines that are spooled already, or counted in a gap.
   */
  static async start(
    console: Console | null,
    spool: AttemptSpool,
    onFault: (fault: unknown) => void,
  ): Promise<SerialRecorder> {
    const recorder = new SerialRecorder(spool);
    if (console === null) return recorder;
    const { serialStartBytes: began, serialStartLines } = spool.record;
    let known = began === null ? 0 : spool.taken('serial') - serialStartLines;
    recorder.#follower = await console.follow(began ?? 'end', {
      backpressure: spool.backpressure,
      onLine: (line, continues) => {
        if (known > 0) known -= 1;
        else recorder.#take(line, continues);
      },
      onSkipped: (skipped) => spool.leaveOut('serial', { ...skipped, reason: 'console-flood' }),
      onGap: ({ fromBytes, toBytes }) => {
        // What was taken before lies before the next place, and so does the gap's end: see onPlace.
        known = 0;
        recorder.#take(
          `[gap: bytes ${fromBytes} to ${toBytes - 1} of the console's record are missing: the machine printed more than is kept of it]`,
          false,
        );
      },
      onPlace: (offsetBytes) => {
        // Lines that are counted but not yet on disk would be counted again after a restart of the agent.
        if (known > 0 || !spool.settled) return;
        try {
          spool.updateRecord({ serialStartBytes: offsetBytes, serialStartLines: spool.taken('serial') });
        } catch {
          // The spool reported its fault; a place further back serves as well.
        }
      },
      onFault,
    });
    if (began === null) spool.updateRecord({ serialStartBytes: recorder.#follower.offsetBytes });
    return recorder;
  }

  /** Number of the line that comes next. */
  get next(): number {
    return this.#nextSeq;
  }

  /** Lines from number `seq` on, without terminal control sequences. */
  since(seq: number): SerialLine[] {
    // From the end: who asks knows nearly all of it.
    const before = this.#lines.findLastIndex((line) => line.seq < seq);
    return this.#lines.slice(before + 1);
  }

  /** The last thing that the console said, complete line or not; null when it said nothing. */
  lastWords(sinceSeq: number): string | null {
    const partial = plainText((this.#follower?.partial ?? '').slice(-LOG_LINE_MAX)).trim();
    const words = partial === '' ? this.since(sinceSeq).findLast((line) => line.text.trim() !== '')?.text : partial;
    return words === undefined ? null : cleanText(words.trim(), LAST_WORDS_MAX);
  }

  /** Gives the lines from `seq` on, each once: what has come since it was asked last. */
  newFrom(seq: number): () => SerialLine[] {
    // Counted, because lines that were left out share one number.
    let position = this.#forgotten + this.#lines.length - this.since(seq).length;
    return () => {
      const lines = this.#lines.slice(Math.max(0, position - this.#forgotten));
      position = this.#forgotten + this.#lines.length;
      return lines;
    };
  }

  /** Looks for a crash in lines from `seq` on; ask as often as wanted, each line is read once. */
  watchFrom(seq: number): () => SerialCrash | null {
    const watch = new CrashWatch();
    const newLines = this.newFrom(seq);
    return () => {
      for (const line of newLines()) watch.push(line.text, line.seq);
      const { crash } = watch;
      if (crash === null) return null;
      return { signature: crash.title, fromSeq: crash.startLine, toSeq: Math.max(seq, this.#nextSeq - 1) };
    };
  }

  async stop(): Promise<void> {
    await this.#follower?.stop();
    this.#follower = null;
  }

  /** Looked at even when there is no room for it in the spool: a crash must not be missed. */
  #take(line: string, continues: boolean): void {
    // A copy: a piece of a line would keep all of it in memory.
    const text = cutText(plainText(line.slice(0, LOG_LINE_MAX)), LOG_LINE_MAX);
    const dropped = continues ? 0 : droppedMessages(text);
    if (dropped > 0) this.#spool.leaveOut('serial', { lines: dropped, bytes: 0, reason: 'printk-dropped' });
    const seq = this.#spool.appendLine('serial', line, Date.now(), continues);
    this.#nextSeq = Math.max(seq + 1, this.#spool.nextOf('serial'));
    this.#lines.push({ seq, text });
    this.#keptCharacters += text.length;
    if (this.#lines.length > 2 * KEPT_LINES || this.#keptCharacters > 2 * KEPT_CHARACTERS) this.#forgetOldest();
  }

  /** Down to half, so that it is done seldom. */
  #forgetOldest(): void {
    let first = Math.max(0, this.#lines.length - KEPT_LINES);
    const kept = this.#lines.slice(first);
    let characters = kept.reduce((sum, { text }) => sum + text.length, 0);
    for (; characters > KEPT_CHARACTERS; first += 1) characters -= this.#lines[first]?.text.length ?? 0;
    this.#lines.splice(0, first);
    this.#forgotten += first;
    this.#keptCharacters = characters;
  }
}
