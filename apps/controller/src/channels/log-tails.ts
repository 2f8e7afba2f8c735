import type { FromBrowser, LogStream, ToBrowser } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import type { LogService } from '../logs/log.service.js';
import { send, type Tail, type TailedLog, type Viewer } from './viewer.js';

const LINES_PER_FRAME = 1000;
/** Streams that one connection may tail at a time. */
const TAILS_MAX = 20;
const CLOSE_INTERNAL = 1011;

/** Lines, and the frame that carries them. */
interface TailPage {
  count: number;
  frame: string;
}

/** Streams stored log lines to the viewers that tail them. */
export class LogTails {
  readonly #logs: LogService;
  /**
   * Reads that run now, by what is read: viewers who have seen the same lines share one. A hint empties it, since a read
   * from before the hint may miss what the hint is about.
   */
  readonly #reads = new Map<string, Promise<TailPage>>();

  constructor(logs: LogService) {
    this.#logs = logs;
  }

  /** Begins a tail, or moves an existing one to another line. */
  start(viewer: Viewer, { attemptId, role, stream, fromSeq: next }: Extract<FromBrowser, { type: 'tail' }>): void {
    const log: TailedLog = { attemptId, role, stream };
    const key = tailKey(log);
    if (!viewer.tails.has(key) && viewer.tails.size >= TAILS_MAX) {
      return send(viewer, { type: 'error', message: `no more than ${TAILS_MAX} streams at a time` });
    }
    viewer.tails.set(key, { ...log, participantId: null, next, hinted: true });
    this.#read(viewer);
  }

  stop(viewer: Viewer, log: TailedLog): void {
    viewer.tails.delete(tailKey(log));
  }

  /** Lines of this stream of any participant may have been stored. */
  hint(viewers: Iterable<Viewer>, attemptId: string, stream: LogStream): void {
    this.#reads.clear();
    for (const viewer of viewers) {
      const tails = [...viewer.tails.values()].filter((tail) => tail.attemptId === attemptId && tail.stream === stream);
      for (const tail of tails) tail.hinted = true;
      if (tails.length > 0) this.#read(viewer);
    }
  }

  /** Lines of any stream may have been stored. */
  hintAll(viewers: Iterable<Viewer>): void {
    this.#reads.clear();
    for (const viewer of viewers) {
      for (const tail of viewer.tails.values()) tail.hinted = true;
      this.#read(viewer);
    }
  }

  /** Reads the hinted tails of a viewer, unless they are being read already. */
  #read(viewer: Viewer): void {
    if (viewer.reading) return;
    viewer.reading = true;
    this.#readHinted(viewer).catch((err: unknown) => {
      log.warn({ err }, 'log-tail-failed');
      viewer.socket.close(CLOSE_INTERNAL, 'internal error');
    });
  }

  /** Sends stored lines until none are left, a page of each tail in turn. A slow browser delays only its own tails. */
  async #readHinted(viewer: Viewer): Promise<void> {
    try {
      for (let hinted = hintedTails(viewer); hinted.length > 0; hinted = hintedTails(viewer)) {
        for (const tail of hinted) await this.#sendPage(viewer, tail);
      }
    } finally {
      // In the same tick as the last check of the hints, so that none is missed in between.
      viewer.reading = false;
    }
  }

  async #sendPage(viewer: Viewer, tail: Tail): Promise<void> {
    const { attemptId, role } = tail;
    tail.hinted = false;
    tail.participantId ??= await this.#logs.findParticipant(attemptId, role);
    // There may be no such attempt yet: the next hint looks again.
    if (tail.participantId === null) return;
    const { count, frame } = await this.#page(tail, tail.participantId);
    // The tail may have been moved or stopped meanwhile.
    if (count === 0 || viewer.tails.get(tailKey(tail)) !== tail || !viewer.isOpen) return;
    tail.next += count;
    if (count === LINES_PER_FRAME) tail.hinted = true;
    await sendAll(viewer, frame);
  }

  #page(tail: Tail, participantId: string): Promise<TailPage> {
    const key = `${tailKey(tail)} ${tail.next}`;
    const running = this.#reads.get(key);
    if (running !== undefined) return running;
    const page = this.#readPage(tail, participantId, tail.next).finally(() => {
      if (this.#reads.get(key) === page) this.#reads.delete(key);
    });
    this.#reads.set(key, page);
    return page;
  }

  async #readPage({ attemptId, role, stream }: TailedLog, participantId: string, from: number): Promise<TailPage> {
    const lines = await this.#logs.lines(participantId, stream, from, from + LINES_PER_FRAME);
    const message: ToBrowser = { type: 'log', attemptId, ...(role === undefined ? {} : { role }), stream, lines };
    return { count: lines.length, frame: JSON.stringify(message) };
  }
}

const hintedTails = (viewer: Viewer): Tail[] =>
  viewer.isOpen ? [...viewer.tails.values()].filter(({ hinted }) => hinted) : [];

const tailKey = ({ attemptId, role = '', stream }: TailedLog): string => `${attemptId} ${role} ${stream}`;

/** Resolves when the frame was handed to the operating system. */
function sendAll(viewer: Viewer, frame: string): Promise<void> {
  return new Promise((done, fail) => {
    viewer.socket.send(frame, (error) => (error == null ? done() : fail(error)));
  });
}
