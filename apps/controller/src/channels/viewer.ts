import {
  LIVE_ACCESS,
  LIVE_CLOSE,
  type FromBrowser,
  type LiveCursor,
  type LogStream,
  type ToBrowser,
} from '@peerlab/contracts';
import type { WebSocket } from 'ws';
import { FrameBudget } from './frame-budget.js';

/** Limit of buffered answers that a browser has not read; a slow one that tails a log has a few frames of them. */
const UNREAD_MAX_BYTES = 32 * 1024 * 1024;
/** Frames that are queued while a token is checked: a page sends its topics and tails right after it. */
const EARLY_MAX = 32;

/** A log as browsers name it. */
export interface TailedLog {
  attemptId: string;
  /** Absent = of the attempt's first participant. */
  role?: string | undefined;
  stream: LogStream;
}

export interface Tail extends TailedLog {
  /** Whose log it is, once that was looked up. */
  participantId: string | null;
  next: number;
  /** More may have been stored since it was last read. */
  hinted: boolean;
}

/** One connection of a browser, and what it asked for. */
export class Viewer {
  topics: ReadonlySet<string> = new Set();
  readonly tails = new Map<string, Tail>();
  /** Its tails are being read. */
  reading = false;
  alive = true;
  /** Set until it is answered: the cursor from which it wants to continue. */
  joining: { since: LiveCursor } | null = null;
  /** It was answered and is told of changes from now on. */
  joined = false;
  /** Frames that wait until the token before them is checked; null when no token is being checked. */
  #early: FromBrowser[] | null = null;
  readonly #budget = new FrameBudget();

  /**
   * @param address of the client
   * @param arrivedAt cursor of the time of the upgrade: data that the page fetches later is newer
   * @param mayRead whether it may see what has the access `read`
   * @param token id of the user's token, if it has one
   */
  constructor(
    readonly socket: WebSocket,
    readonly address: string,
    readonly arrivedAt: LiveCursor,
    public mayRead: boolean,
    public token: string | null,
  ) {}

  get isOpen(): boolean {
    return this.socket.readyState === this.socket.OPEN;
  }

  /**
   * Counts a frame. Closes the connection of a client that sends too many frames, or that keeps requesting without
   * reading, which would make us buffer without bound. Returns whether the frame may be handled.
   */
  admit(): boolean {
    if (this.socket.bufferedAmount > UNREAD_MAX_BYTES) this.socket.terminate();
    else if (!this.#budget.take()) this.socket.close(LIVE_CLOSE.limit, 'too many frames');
    return this.isOpen;
  }

  /** Whether it is allowed what a frame asks for. Closes the connection when that needs a token. */
  may(message: FromBrowser): boolean {
    if (accessesOf(message).every((access) => access === 'public' || (access === 'read' && this.mayRead))) return true;
    this.socket.close(LIVE_CLOSE.token, 'sign in first: reading needs a token on this farm');
    return false;
  }

  /** Queues a frame while a token is checked; closes the connection when there are too many. */
  postpone(message: FromBrowser): boolean {
    if (this.#early === null) return false;
    if (this.#early.length >= EARLY_MAX) this.socket.close(LIVE_CLOSE.limit, 'too many frames before the token');
    else this.#early.push(message);
    return true;
  }

  /** From now on frames are queued. */
  beginSignIn(): void {
    this.#early = [];
  }

  /** Ends the queueing; returns the queued frames in order. */
  endSignIn(): FromBrowser[] {
    const early = this.#early ?? [];
    this.#early = null;
    return early;
  }
}

/** Sends a frame, unless the connection is closing. */
export function send(viewer: Viewer, message: ToBrowser): void {
  if (viewer.isOpen) viewer.socket.send(JSON.stringify(message));
}

/** The accesses that a frame needs; an undeclared topic needs `undefined`, which is never granted. */
function accessesOf(message: FromBrowser): (string | undefined)[] {
  if (message.type === 'topics') return message.topics.map((topic) => accessOfTopic(topic));
  return message.type === 'sign-in' ? [] : [LIVE_ACCESS.tail];
}

/** The declared access of a topic, such as `run:<uuid>`; undefined when it is not declared. */
export function accessOfTopic(topic: string): string | undefined {
  const [kind = ''] = topic.split(':', 1);
  return Object.hasOwn(LIVE_ACCESS, kind) ? LIVE_ACCESS[kind as keyof typeof LIVE_ACCESS] : undefined;
}
