import {
  LIVE_BEAT_SECONDS,
  LIVE_CLOSE,
  LIVE_PATH,
  ToBrowser,
  type FromBrowser,
  type LiveCursor,
  type LogLine,
  type LogStream,
} from '@peerlab/contracts';

/** `open` = changes are told as they happen; `paused` = the connection was lost and is being retried. */
export type LiveState = 'connecting' | 'open' | 'paused';

/** First and longest pause between two tries, in milliseconds. */
const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 8_000;
/** A connection that says nothing for so long is dead, though nobody closed it, in milliseconds. */
export const SILENCE_MS = 3 * LIVE_BEAT_SECONDS * 1000 + 5_000;

/** Longer than an answer takes and is taken for fresh (createQueryClient), in milliseconds. */
export const LOOK_BACK_MS = 10_000;

/** WebSocket.OPEN, also where there is no WebSocket. */
const OPEN = 1;

interface Tail {
  attemptId: string;
  stream: LogStream;
  /** Asked anew at every connect, so that a reconnect resumes where the lines end. */
  nextSeq: () => number;
  onLines: (lines: LogLine[]) => void;
}

/** What a page does about messages. */
export interface LiveEvents {
  /** The topic of a change; null when anything may have changed. */
  onChanged: (topic: string | null) => void;
  /** The controller is there again, and what it missed to say was said. */
  onReturn: () => void;
}

export interface LiveLink {
  state: () => LiveState;
  /** When the page heard of changes last before the connection was lost, milliseconds since 1970; null while it is open. */
  lostAt: () => number | null;
  onState: (listener: () => void) => () => void;
  /**
   * Adds topics until the returned function is called; the same topic may be held many times. Their changes of
   * the last seconds are told, too: what the page shows of them may be so old.
   */
  watch: (topics: readonly string[]) => () => void;
  /** Follows one stream until the returned function is called. */
  tail: (tail: Tail) => () => void;
  retryNow: () => void;
  /** The token is another one: a connection that was refused for want of one is tried again. */
  tokenChanged: () => void;
  close: () => void;
}

/**
 * One WebSocket for the whole page, opened again with growing pauses for as long as the page lives. It comes
 * back with the cursor of the last message, and is told what changed meanwhile: nothing is fetched in vain.
 * `since` = the cursor of when the page was asked for; without one, all is fetched anew when the link is up.
 * `token` is read for each connection; where reads need one, a connection without it is not tried again until
 * `tokenChanged`.
 */
export function createLiveLink(
  { onChanged, onReturn }: LiveEvents,
  since: LiveCursor | null,
  token: () => string | null,
  openSocket: () => WebSocket = () =>
    new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${LIVE_PATH}`),
): LiveLink {
  const topics = new Map<string, number>();
  const tails = new Map<string, Tail>();
  const listeners = new Set<() => void>();
  let state: LiveState = 'connecting';
  let socket: WebSocket | null = null;
  let timer: ReturnType<typeof setTimeout> | null = null;
  let tries = 0;
  /** The newest last; of those older than LOOK_BACK_MS one is kept. */
  let cursors: { cursor: LiveCursor | null; at: number }[] = [{ cursor: since, at: Date.now() }];
  let heardAt: number | null = null;
  let silence: ReturnType<typeof setTimeout> | undefined;
  let closed = false;
  /** The controller wants another token than the one that was sent. */
  let lacksToken = false;
  let topicsQueued = false;
  let topicsAdded = false;
  /** From where on added topics are told; kept until that is answered, also over a loss. */
  let owed: LiveCursor | null = null;

  const newestCursor = (): LiveCursor | null => cursors.at(-1)?.cursor ?? null;
  const noteCursor = (cursor: LiveCursor): void => {
    const at = Date.now();
    const recent = cursors.findIndex((each) => each.at > at - LOOK_BACK_MS);
    cursors = [...cursors.slice(recent === -1 ? -1 : Math.max(0, recent - 1)), { cursor, at }];
  };
  const send = (message: FromBrowser): void => {
    if (socket?.readyState === OPEN) socket.send(JSON.stringify(message));
  };
  const setState = (next: LiveState): void => {
    if (state === next) return;
    state = next;
    for (const listener of listeners) listener();
  };
  const lookBack = (): LiveCursor | null =>
    (cursors.findLast(({ at }) => at <= Date.now() - LOOK_BACK_MS) ?? cursors[0])?.cursor ?? null;
  const sendTopics = (): void => {
    // One message for all the hooks that mount in the same turn.
    if (topicsQueued) return;
    topicsQueued = true;
    queueMicrotask(() => {
      topicsQueued = false;
      if (topicsAdded) owed ??= lookBack();
      send({ type: 'topics', topics: [...topics.keys()], ...(topicsAdded && { since: owed }) });
      topicsAdded = false;
    });
  };
  const sendTail = ({ attemptId, stream, nextSeq }: Tail): void =>
    send({ type: 'tail', attemptId, stream, fromSeq: nextSeq() });

  const receive = (data: unknown): void => {
    if (typeof data !== 'string') return;
    const parsed = ToBrowser.safeParse(safeJson(data));
    if (!parsed.success) return;
    const message = parsed.data;
    switch (message.type) {
      case 'resumed':
        resume(message.cursor, message.changed);
        return;
      case 'changed':
        if (message.cursor !== undefined) noteCursor(message.cursor);
        onChanged(message.topic);
        return;
      case 'cursor':
        noteCursor(message.cursor);
        return;
      case 'log':
        tails.get(tailKey(message.attemptId, message.stream))?.onLines(message.lines);
        return;
      case 'error':
        console.warn(`live channel: ${message.message}`);
    }
  };
  const resume = (next: LiveCursor, changed: readonly string[] | null): void => {
    const isReturn = state === 'paused';
    // What was fetched before the first word of a controller may be older than that.
    const isUnknown = changed === null || newestCursor() === null;
    noteCursor(next);
    owed = null;
    tries = 0;
    setState('open');
    if (isUnknown) onChanged(null);
    else for (const topic of changed) onChanged(topic);
    if (isReturn) onReturn();
  };

  const connect = (): void => {
    timer = null;
    if (closed) return;
    const opened = openSocket();
    socket = opened;
    const listen = (): void => {
      heardAt = Date.now();
      clearTimeout(silence);
      silence = setTimeout(() => {
        opened.close();
        // Of a dead connection the browser waits for an answer to that.
        lose();
      }, SILENCE_MS);
    };
    const lose = (code?: number): void => {
      if (socket !== opened || closed) return;
      socket = null;
      clearTimeout(silence);
      setState('paused');
      lacksToken = code === LIVE_CLOSE.token;
      if (lacksToken) return;
      // Jitter keeps many open pages from returning to a restarted controller at the same moment.
      const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** tries) * (0.75 + Math.random() / 2);
      tries += 1;
      timer = setTimeout(connect, pauseMs);
    };
    opened.addEventListener('open', () => {
      const secret = token();
      if (secret !== null) send({ type: 'sign-in', token: secret });
      send({ type: 'topics', topics: [...topics.keys()], since: owed ?? newestCursor() });
      for (const tail of tails.values()) sendTail(tail);
    });
    opened.addEventListener('message', (event) => {
      if (socket !== opened) return;
      listen();
      receive(event.data);
    });
    opened.addEventListener('close', ({ code }) => lose(code));
  };
  connect();

  return {
    state: () => state,
    lostAt: () => (state === 'paused' ? heardAt : null),
    onState(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    watch(wanted) {
      for (const topic of wanted) {
        topicsAdded ||= !topics.has(topic);
        topics.set(topic, (topics.get(topic) ?? 0) + 1);
      }
      sendTopics();
      return () => {
        for (const topic of wanted) {
          const left = (topics.get(topic) ?? 1) - 1;
          if (left === 0) topics.delete(topic);
          else topics.set(topic, left);
        }
        sendTopics();
      };
    },
    tail(tail) {
      const key = tailKey(tail.attemptId, tail.stream);
      tails.set(key, tail);
      sendTail(tail);
      return () => {
        if (tails.get(key) !== tail) return;
        tails.delete(key);
        send({ type: 'untail', attemptId: tail.attemptId, stream: tail.stream });
      };
    },
    retryNow() {
      if (timer === null) return;
      clearTimeout(timer);
      connect();
    },
    tokenChanged() {
      if (!lacksToken) return;
      lacksToken = false;
      connect();
    },
    close() {
      closed = true;
      clearTimeout(silence);
      if (timer !== null) clearTimeout(timer);
      socket?.close();
    },
  };
}

const tailKey = (attemptId: string, stream: LogStream): string => `${attemptId}/${stream}`;

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
