import { LIVE_ACCESS, LIVE_CLOSE, type FromBrowser, type LiveCursor, type LogStream } from '@peerlab/contracts';
import type { WebSocket } from 'ws';
import { FrameBudget } from './frame-budget.js';

/** Answers that a browser has not read; a slow one that tails a log has a few frames of it at most. */
const UNREAD_MAX_BYTES = 32 * 1024 * 1024;
/** Frames that may come before it is known who sends them: a page sends its topics and tails at once. */
const EARLY_MAX = 32;

export interface Tail {
  attemptId: string;
  stream: LogStream;
  next: number;
  /** More may have been stored since it was last read. */
  hinted: boolean;
}

/** One connection of a browser, and what it asked for. */
export class Viewer {
  topics: ReadonlySet<string> = new Set();
  readonly tails = new Map<string, Tail>();
  /** Its tails are being read, one page after the other. */
  pumping = false;
  alive = true;
  /** It came and is not answered yet: where it wants to go on. */
  joining: { since: LiveCursor } | null = null;
  /** It was answered: changes are told from here on. */
  joined = false;
  /** Frames that wait until the token before them was looked up; null when none is being looked up. */
  #early: FromBrowser[] | null = null;
  readonly #budget = new FrameBudget();

  /**
   * @param address of the other end
   * @param arrivedAt when the connection began: what it fetches on its own is newer
   * @param mayRead whether it may see what has the access `read`
   * @param token id of the user's token that it came with
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
   * Counts a frame, and ends the connection of one that sends too many of them, or that keeps asking without
   * reading: its answers would fill this process. Returns whether the frame may be handled.
   */
  admit(): boolean {
    if (this.socket.bufferedAmount > UNREAD_MAX_BYTES) this.socket.terminate();
    else if (!this.#budget.take()) this.socket.close(LIVE_CLOSE.limit, 'too many frames');
    return this.isOpen;
  }

  /** Whether it may have what a frame asks for. Ends the connection when that needs a token. */
  may(message: FromBrowser): boolean {
    if (accessesOf(message).every((access) => access === 'public' || (access === 'read' && this.mayRead))) return true;
    this.socket.close(LIVE_CLOSE.token, 'sign in first: reading needs a token on this farm');
    return false;
  }

  /** Keeps a frame for later while a token is looked up; ends the connection when there are too many. */
  postpone(message: FromBrowser): boolean {
    if (this.#early === null) return false;
    if (this.#early.length >= EARLY_MAX) this.socket.close(LIVE_CLOSE.limit, 'too many frames before the token');
    else this.#early.push(message);
    return true;
  }

  /** From here on frames are postponed. */
  beginSignIn(): void {
    this.#early = [];
  }

  /** The frames that were postponed, in order. */
  endSignIn(): FromBrowser[] {
    const early = this.#early ?? [];
    this.#early = null;
    return early;
  }
}

/** Accesses that a frame needs; an undeclared topic needs one that no one has. */
function accessesOf(message: FromBrowser): (string | undefined)[] {
  if (message.type === 'topics') return message.topics.map((topic) => accessOfTopic(topic));
  return message.type === 'sign-in' ? [] : [LIVE_ACCESS.tail];
}

/** The declared access of a topic, such as `run:<uuid>`; undefined when it is not declared. */
export function accessOfTopic(topic: string): string | undefined {
  const [kind = ''] = topic.split(':', 1);
  return Object.hasOwn(LIVE_ACCESS, kind) ? LIVE_ACCESS[kind as keyof typeof LIVE_ACCESS] : undefined;
}
