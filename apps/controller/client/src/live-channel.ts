import { ToBrowser, type FromBrowser, type LiveCursor, type LogLine, type LogStream } from '@peerlab/contracts';
import { parseJson } from './api-error.js';
import { CursorHistory } from './cursor-history.js';
import { LiveSocket, type LiveConnectionType } from './live-socket.js';

/** `open` = changes arrive as they happen; `paused` = the connection was lost and is being opened again. */
export type LiveState = 'connecting' | 'open' | 'paused';

export interface Tail {
  attemptId: string;
  /** Whose stream, in an attempt with several participants; absent = that of the first one. */
  role?: string | undefined;
  stream: LogStream;
  /** Called at every connection, so that a new one resumes where the lines end. */
  nextSeq: () => number;
  onLines: (lines: LogLine[]) => void;
}

export interface LiveOptions {
  /** Origin of the controller, e.g. http://127.0.0.1:7470. */
  url: string;
  /** The API token, read for every connection; null = none. */
  token: () => string | null;
  WebSocket: LiveConnectionType;
  /** Cursor of the data that the caller has; null = none, and `onChanged(null)` follows the first connection. */
  since: LiveCursor | null;
  /** The topic of a change; null when anything may have changed. */
  onChanged: (topic: string | null) => void;
  /** The connection is back after a loss, and every change that it missed was passed to `onChanged`. */
  onReturn?: () => void;
  /** The controller refused a message of this client. */
  onError?: (message: string) => void;
}

/**
 * The live channel: changes of topics, and the lines of logs. It reconnects until it is closed. A new connection
 * names the last cursor, and the controller answers which topics changed meanwhile, so that nothing is missed and
 * nothing is fetched without need. Where reads need a token, a connection that was refused waits for
 * `tokenChanged`.
 */
export class LiveChannel {
  readonly #options: LiveOptions;
  readonly #socket: LiveSocket;
  readonly #cursors: CursorHistory;
  /** How many callers hold each topic. */
  readonly #topics = new Map<string, number>();
  readonly #tails = new Map<string, Tail>();
  readonly #listeners = new Set<() => void>();
  #state: LiveState = 'connecting';
  #isTopicsQueued = false;
  #hasNewTopics = false;
  /** Where the changes of added topics begin; kept until they are answered, also over a loss. */
  #owed: LiveCursor | null = null;

  constructor(options: LiveOptions) {
    this.#options = options;
    this.#cursors = new CursorHistory(options.since);
    this.#socket = new LiveSocket(options.url, options.WebSocket, {
      onOpen: () => this.#introduce(),
      onMessage: (data) => this.#receive(data),
      onLost: () => this.#setState('paused'),
    });
    this.#socket.connect();
  }

  get state(): LiveState {
    return this.#state;
  }

  /** When the last message came before the connection was lost, in milliseconds since 1970; null while it is open. */
  get lostAt(): number | null {
    return this.#state === 'paused' ? this.#socket.heardAt : null;
  }

  /** Calls the listener at every change of the state, until the returned function is called. */
  onState(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Adds topics until the returned function is called; a topic may be held many times. Changes of the last seconds
   * are passed on as well, since the data that the caller has of them may be that old.
   */
  watch(topics: readonly string[]): () => void {
    for (const topic of topics) {
      this.#hasNewTopics ||= !this.#topics.has(topic);
      this.#topics.set(topic, (this.#topics.get(topic) ?? 0) + 1);
    }
    this.#queueTopics();
    return () => {
      for (const topic of topics) {
        const left = (this.#topics.get(topic) ?? 1) - 1;
        if (left === 0) this.#topics.delete(topic);
        else this.#topics.set(topic, left);
      }
      this.#queueTopics();
    };
  }

  /** Follows one stream until the returned function is called; replaces an earlier tail of the same stream. */
  tail(tail: Tail): () => void {
    const key = tailKey(tail);
    this.#tails.set(key, tail);
    this.#sendTail(tail);
    return () => {
      if (this.#tails.get(key) !== tail) return;
      this.#tails.delete(key);
      this.#send({ type: 'untail', ...nameOf(tail) });
    };
  }

  /** Connects at once when it waits for its next try. */
  retryNow(): void {
    this.#socket.retryNow();
  }

  /** Call when the token is another one: a connection that was refused for its token is opened again. */
  tokenChanged(): void {
    this.#socket.tokenChanged();
  }

  close(): void {
    this.#socket.close();
  }

  /** The first messages of a connection. */
  #introduce(): void {
    const token = this.#options.token();
    if (token !== null) this.#send({ type: 'sign-in', token });
    this.#send({ type: 'topics', topics: [...this.#topics.keys()], since: this.#owed ?? this.#cursors.newest() });
    for (const tail of this.#tails.values()) this.#sendTail(tail);
  }

  /** One message for all topics that are added or dropped in the same turn. */
  #queueTopics(): void {
    if (this.#isTopicsQueued) return;
    this.#isTopicsQueued = true;
    queueMicrotask(() => {
      this.#isTopicsQueued = false;
      if (this.#hasNewTopics) this.#owed ??= this.#cursors.lookBack();
      const since = this.#hasNewTopics ? { since: this.#owed } : {};
      this.#hasNewTopics = false;
      this.#send({ type: 'topics', topics: [...this.#topics.keys()], ...since });
    });
  }

  #sendTail(tail: Tail): void {
    this.#send({ type: 'tail', ...nameOf(tail), fromSeq: tail.nextSeq() });
  }

  #send(message: FromBrowser): void {
    this.#socket.send(JSON.stringify(message));
  }

  #receive(data: unknown): void {
    if (typeof data !== 'string') return;
    const parsed = ToBrowser.safeParse(parseJson(data));
    // A controller of a later version may send messages that this client does not know.
    if (!parsed.success) return;
    const message = parsed.data;
    switch (message.type) {
      case 'resumed':
        this.#resume(message.cursor, message.changed);
        return;
      case 'changed':
        if (message.cursor !== undefined) this.#cursors.add(message.cursor);
        this.#options.onChanged(message.topic);
        return;
      case 'cursor':
        this.#cursors.add(message.cursor);
        return;
      case 'log':
        this.#tails.get(tailKey(message))?.onLines(message.lines);
        return;
      case 'error':
        this.#options.onError?.(message.message);
    }
  }

  #resume(next: LiveCursor, changed: readonly string[] | null): void {
    const isReturn = this.#state === 'paused';
    // Without a cursor, data that was fetched before this message may be older than the message.
    const isUnknown = changed === null || this.#cursors.newest() === null;
    this.#cursors.add(next);
    this.#owed = null;
    this.#socket.confirm();
    this.#setState('open');
    if (isUnknown) this.#options.onChanged(null);
    else for (const topic of changed) this.#options.onChanged(topic);
    if (isReturn) this.#options.onReturn?.();
  }

  #setState(next: LiveState): void {
    if (this.#state === next) return;
    this.#state = next;
    for (const listener of this.#listeners) listener();
  }
}

type TailName = Pick<Tail, 'attemptId' | 'role' | 'stream'>;

function nameOf({ attemptId, role, stream }: TailName): TailName {
  return role === undefined ? { attemptId, stream } : { attemptId, role, stream };
}

function tailKey({ attemptId, role = '', stream }: TailName): string {
  return `${attemptId}/${role}/${stream}`;
}
