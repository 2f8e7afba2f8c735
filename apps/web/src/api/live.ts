import { LIVE_PATH, ToBrowser, type FromBrowser, type LogLine, type LogStream } from '@peerlab/contracts';

/** `paused` = the connection was lost and is being retried. */
export type LiveState = 'connecting' | 'open' | 'paused';

/** First and longest pause between two tries, in milliseconds. */
const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 8_000;

/** WebSocket.OPEN, also where there is no WebSocket. */
const OPEN = 1;

interface Tail {
  attemptId: string;
  stream: LogStream;
  /** Asked anew at every connect, so that a reconnect resumes where the lines end. */
  nextSeq: () => number;
  onLines: (lines: LogLine[]) => void;
}

export interface LiveLink {
  state: () => LiveState;
  onState: (listener: () => void) => () => void;
  /** Adds topics until the returned function is called; the same topic may be held many times. */
  watch: (topics: readonly string[]) => () => void;
  /** Follows one stream until the returned function is called. */
  tail: (tail: Tail) => () => void;
  retryNow: () => void;
  close: () => void;
}

/**
 * One WebSocket for the whole page, opened again with growing pauses for as long as the page lives.
 * `onChanged` gets the topic of a change, or null after a reconnect, when anything may have changed.
 */
export function createLiveLink(
  onChanged: (topic: string | null) => void,
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
  let wasOpen = false;
  let closed = false;
  let topicsQueued = false;

  const send = (message: FromBrowser): void => {
    if (socket?.readyState === OPEN) socket.send(JSON.stringify(message));
  };
  const setState = (next: LiveState): void => {
    if (state === next) return;
    state = next;
    for (const listener of listeners) listener();
  };
  const sendTopics = (): void => {
    // One message for all the hooks that mount in the same turn.
    if (topicsQueued) return;
    topicsQueued = true;
    queueMicrotask(() => {
      topicsQueued = false;
      send({ type: 'topics', topics: [...topics.keys()] });
    });
  };
  const sendTail = ({ attemptId, stream, nextSeq }: Tail): void =>
    send({ type: 'tail', attemptId, stream, fromSeq: nextSeq() });

  const receive = (data: unknown): void => {
    if (typeof data !== 'string') return;
    const message = ToBrowser.safeParse(safeJson(data));
    if (!message.success) return;
    if (message.data.type === 'changed') onChanged(message.data.topic);
    else if (message.data.type === 'log') {
      tails.get(tailKey(message.data.attemptId, message.data.stream))?.onLines(message.data.lines);
    } else console.warn(`live channel: ${message.data.message}`);
  };

  const connect = (): void => {
    timer = null;
    if (closed) return;
    const opened = openSocket();
    socket = opened;
    opened.addEventListener('open', () => {
      tries = 0;
      setState('open');
      send({ type: 'topics', topics: [...topics.keys()] });
      for (const tail of tails.values()) sendTail(tail);
      if (wasOpen) onChanged(null);
      wasOpen = true;
    });
    opened.addEventListener('message', (event) => receive(event.data));
    opened.addEventListener('close', () => {
      if (socket !== opened || closed) return;
      socket = null;
      setState('paused');
      // Jitter keeps many open pages from returning to a restarted controller at the same moment.
      const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** tries) * (0.75 + Math.random() / 2);
      tries += 1;
      timer = setTimeout(connect, pauseMs);
    });
  };
  connect();

  return {
    state: () => state,
    onState(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    watch(wanted) {
      for (const topic of wanted) topics.set(topic, (topics.get(topic) ?? 0) + 1);
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
    close() {
      closed = true;
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
