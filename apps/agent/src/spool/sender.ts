import {
  type FromAgent,
  LOG_BATCH_MAX,
  LOG_LINE_MAX,
  type LogLine,
  type SequencedEvent,
  type SpoolStream,
} from '@peerlab/contracts';
import type { AttemptSpool } from './attempt-spool.js';
import { fitStoredEvent } from './fit-event.js';

/** Entries of one stream that may be under way; bounds the controller's work after a reconnect. */
const WINDOW = 4 * LOG_BATCH_MAX;
/** Frames stay far below what the channel accepts: a batch, or a single record, which is at most half a frame. */
const BATCH_BYTES = 1024 * 1024;
/** Lines that arrive together travel together. */
const COALESCE_MS = 25;
/** Before sending is tried again after the disk failed to sync or to be read. */
const FAULT_PAUSE_MS = 1000;

/**
 * Sends what an attempt's spool holds and the controller lacks, in order, each stream by itself. The
 * `finished` event waits until every log line is acknowledged, so that a finished attempt is a
 * complete one.
 */
export class AttemptSender {
  readonly #acked = new Map<SpoolStream, number>();
  readonly #sent = new Map<SpoolStream, number>();
  #online = false;
  #pumping = false;
  #again = false;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;
  #announceDone!: () => void;
  /** Resolves when the attempt is finished and everything is acknowledged. */
  readonly done = new Promise<void>((resolve) => {
    this.#announceDone = resolve;
  });

  readonly #spool: AttemptSpool;
  readonly #send: (frame: FromAgent) => boolean;
  readonly #onFault: (error: unknown) => void;

  constructor(spool: AttemptSpool, send: (frame: FromAgent) => boolean, onFault: (error: unknown) => void) {
    this.#spool = spool;
    this.#send = send;
    this.#onFault = onFault;
    spool.onAppend = () => this.#poke();
  }

  /** A new connection: goes on from what the controller holds. */
  resume(ackedNext: Partial<Record<SpoolStream, number>>): void {
    this.#online = true;
    for (const stream of this.#spool.streams()) {
      const next = ackedNext[stream] ?? 0;
      this.#spool.file(stream).skipTo(next);
      this.#spool.acknowledged(stream, next);
      this.#acked.set(stream, next);
      this.#sent.set(stream, next);
    }
    this.#poke();
    this.#checkDone();
  }

  /** The connection is gone; nothing is lost, sending starts again with `resume`. */
  pauseSending(): void {
    this.#online = false;
  }

  acknowledge(stream: SpoolStream, next: number): void {
    // Never beyond what was sent on this connection: a late ack of an older one may not skip entries.
    const limit = this.#sent.get(stream) ?? 0;
    const held = this.#acked.get(stream) ?? 0;
    const acked = Math.max(held, Math.min(next, limit));
    this.#acked.set(stream, acked);
    this.#spool.acknowledged(stream, acked);
    this.#poke();
    this.#checkDone();
  }

  /** When the oldest entry that is not acknowledged was recorded, in milliseconds since 1970; null = there is none. */
  oldestAt(): number | null {
    const times = this.#spool.streams().flatMap((stream) => {
      const file = this.#spool.file(stream);
      const acked = Math.max(this.#acked.get(stream) ?? 0, file.first);
      return acked < file.next ? file.read(acked, 1, BATCH_BYTES).map(({ at }) => at) : [];
    });
    return times.length === 0 ? null : Math.min(...times);
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#spool.onAppend = () => undefined;
  }

  #poke(afterMs = COALESCE_MS): void {
    if (this.#timer !== null || this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#pump().catch((error: unknown) => {
        this.#onFault(error);
        this.#poke(FAULT_PAUSE_MS);
      });
    }, afterMs);
  }

  async #pump(): Promise<void> {
    if (this.#pumping) {
      this.#again = true;
      return;
    }
    this.#pumping = true;
    try {
      do {
        this.#again = false;
        for (const stream of this.#spool.streams()) await this.#pumpStream(stream);
      } while (this.#again);
    } finally {
      this.#pumping = false;
    }
  }

  async #pumpStream(stream: SpoolStream): Promise<void> {
    const file = this.#spool.file(stream);
    for (;;) {
      if (!this.#isSending()) return;
      const durable = await file.sync();
      // Neither may be as it was before the wait.
      if (!this.#isSending()) return;
      const sent = this.#sent.get(stream) ?? 0;
      const limit = Math.min(durable, this.#sendable(stream), (this.#acked.get(stream) ?? 0) + WINDOW);
      if (sent >= limit) return;
      const entries = file.read(sent, Math.min(limit - sent, LOG_BATCH_MAX), BATCH_BYTES);
      const last = entries.at(-1);
      if (last === undefined) return;
      if (!this.#send(this.#frame(stream, entries))) {
        if (this.#online) this.#poke();
        return;
      }
      this.#sent.set(stream, last.seq + 1);
    }
  }

  #isSending(): boolean {
    return this.#online && !this.#stopped;
  }

  #sendable(stream: SpoolStream): number {
    const next = this.#spool.file(stream).next;
    // While something waits for room on the disk, `finished` is not among what is there.
    if (stream !== 'events' || !this.#spool.finished || !this.#spool.settled || this.#logsAcknowledged()) return next;
    return next - 1;
  }

  #logsAcknowledged(): boolean {
    return this.#spool
      .streams()
      .every((stream) => stream === 'events' || (this.#acked.get(stream) ?? 0) >= this.#spool.file(stream).next);
  }

  #checkDone(): void {
    if (!this.#spool.finished || !this.#spool.settled || !this.#logsAcknowledged()) return;
    if ((this.#acked.get('events') ?? 0) >= this.#spool.file('events').next) this.#announceDone();
  }

  /** What an older agent spooled may be longer than this controller takes: it is cut, so that the stream goes on. */
  #frame(stream: SpoolStream, entries: (LogLine | SequencedEvent)[]): FromAgent {
    const { participantId, fence } = this.#spool;
    if (stream === 'events') {
      const events = (entries as SequencedEvent[]).map((entry) => ({ ...entry, event: fitStoredEvent(entry.event) }));
      return { type: 'events', participantId, fence, events };
    }
    const lines = (entries as LogLine[]).map((line) =>
      line.text.length <= LOG_LINE_MAX ? line : { ...line, text: line.text.slice(0, LOG_LINE_MAX) },
    );
    return { type: 'log', participantId, fence, stream, lines };
  }
}
