import { LIVE_BEAT_SECONDS, LIVE_CLOSE, LIVE_PATH } from '@peerlab/contracts';
import { reconnectPauseMs } from './reconnect.js';

/** A connection without a message for this long is dead although it was not closed, in milliseconds. */
export const SILENCE_MS = 3 * LIVE_BEAT_SECONDS * 1000 + 5_000;

/** WebSocket.OPEN, also where there is no global WebSocket. */
const OPEN = 1;

/** What this package uses of a WebSocket: that of a browser or that of the package `ws`. */
export interface LiveConnection {
  readonly readyState: number;
  send(text: string): void;
  close(): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { code: number }) => void): void;
}

/** `WebSocket` of a browser, or of the package `ws` (Node 20 has no global one). */
export type LiveConnectionType = new (url: string) => LiveConnection;

/** What the owner of a socket does about its events. */
export interface LiveSocketEvents {
  onOpen: () => void;
  onMessage: (data: unknown) => void;
  onLost: () => void;
}

/**
 * One WebSocket that is opened again after every loss, with pauses by `reconnectPauseMs`, until it is closed. After
 * the controller refused the token, it waits for `tokenChanged`.
 */
export class LiveSocket {
  readonly #url: string;
  readonly #type: LiveConnectionType;
  readonly #events: LiveSocketEvents;
  #socket: LiveConnection | null = null;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #heardAt: number | null = null;
  #isClosed = false;
  #isTokenRefused = false;

  /** @param origin of the controller, e.g. http://127.0.0.1:7470 */
  constructor(origin: string, type: LiveConnectionType, events: LiveSocketEvents) {
    this.#url = `${origin.replace(/^http/, 'ws')}${LIVE_PATH}`;
    this.#type = type;
    this.#events = events;
  }

  /** When the last message came, in milliseconds since 1970; null before the first. */
  get heardAt(): number | null {
    return this.#heardAt;
  }

  connect(): void {
    this.#retry = null;
    if (this.#isClosed) return;
    const socket = new this.#type(this.#url);
    this.#socket = socket;
    socket.addEventListener('open', () => {
      if (this.#socket === socket) this.#events.onOpen();
    });
    socket.addEventListener('message', ({ data }) => {
      if (this.#socket !== socket) return;
      this.#listen(socket);
      this.#events.onMessage(data);
    });
    // `close` follows every error; the listener keeps `ws` from throwing it.
    socket.addEventListener('error', () => undefined);
    socket.addEventListener('close', ({ code }) => this.#lose(socket, code));
  }

  /** Drops the text when there is no open connection: the owner sends its whole state at every `onOpen`. */
  send(text: string): void {
    if (this.#socket?.readyState === OPEN) this.#socket.send(text);
  }

  /** The connection works: the next pause is a short one again. */
  confirm(): void {
    this.#failures = 0;
  }

  /** Connects at once when it waits for its next try. */
  retryNow(): void {
    if (this.#retry === null) return;
    clearTimeout(this.#retry);
    this.connect();
  }

  /** Connects again when the last connection was refused for its token. */
  tokenChanged(): void {
    if (!this.#isTokenRefused) return;
    this.#isTokenRefused = false;
    this.connect();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#silence);
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#socket?.close();
  }

  #listen(socket: LiveConnection): void {
    this.#heardAt = Date.now();
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      socket.close();
      // The close event of a dead connection comes only after the time limit of its closing handshake.
      this.#lose(socket, null);
    }, SILENCE_MS);
  }

  #lose(socket: LiveConnection, code: number | null): void {
    if (this.#socket !== socket || this.#isClosed) return;
    this.#socket = null;
    clearTimeout(this.#silence);
    this.#isTokenRefused = code === LIVE_CLOSE.token;
    if (!this.#isTokenRefused) {
      this.#retry = setTimeout(() => this.connect(), reconnectPauseMs(this.#failures));
      this.#failures += 1;
    }
    this.#events.onLost();
  }
}
