import { reconnectPauseMs } from '@peerlab/client';
import {
  INPUT_MAX_BYTES,
  LIVE_CLOSE,
  TERMINAL_BEAT_SECONDS,
  TERMINAL_PATH,
  ToTerminalUser,
  type FromTerminalUser,
  type TerminalKind,
  type TerminalSize,
} from '@peerlab/contracts';

export type SessionState =
  | { name: 'connecting' }
  | { name: 'open' }
  /** It was not opened; `code` of the problem, where the controller answered. */
  | { name: 'refused'; reason: string; code: string | null }
  /** It was open, and the farm said why it is over. */
  | { name: 'ended'; reason: string }
  /** The connection is gone, and the terminal with it. `isRetried`: a new one is opened by itself. */
  | { name: 'lost'; reason: string; isRetried: boolean };

export interface SessionOptions {
  /** Origin of the controller. */
  url: string;
  machine: string;
  kind: TerminalKind;
  /** Read for every connection. */
  token: () => string | null;
  size: () => TerminalSize;
  WebSocket: new (url: string) => WebSocket;
  /** Output of the terminal. `drawn` is to be called when it was drawn. */
  onOutput: (data: Uint8Array, drawn: () => void) => void;
  onState: (state: SessionState) => void;
  /** Bytes that count as drawn before they are: a page out of sight draws late, which is not to hold back the machine. */
  allowance?: () => number;
}

/** A controller that opened nothing for so long is not there, in milliseconds. */
const OPEN_MS = 20_000;
/** Beats in a row that may be missing. Counted, not measured: a computer that slept has missed none. */
const MISSED_MAX = 4;
/** What was drawn is told in steps of so many bytes. */
const REPORT_BYTES = 16 * 1024;
/** What was typed and has not left the browser, in bytes. */
const UNSENT_MAX_BYTES = 2 * 1024 * 1024;

/** One WebSocket, and what went over it. */
interface Connection {
  socket: WebSocket;
  isOpened: boolean;
  receivedBytes: number;
  drawnBytes: number;
  reportedBytes: number;
  missed: number;
  timer: ReturnType<typeof setInterval>;
}

/**
 * A terminal of a machine, over one WebSocket at a time. A terminal lives as long as its connection. A console is opened again after
 * a loss, and so is a shell that was never open; a new shell would be another one, so the person asks for it.
 */
export class TerminalSession {
  readonly #options: SessionOptions;
  #connection: Connection | null = null;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #failures = 0;
  #wasOpen = false;
  #isOver = false;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Opens a terminal, unless one is open or being opened. */
  connect(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    if (this.#connection !== null || this.#isOver) return;
    const { url, machine, kind, token, size, WebSocket: Type, onState } = this.#options;
    onState({ name: 'connecting' });
    const socket = new Type(url.replace(/^http/, 'ws') + TERMINAL_PATH);
    socket.binaryType = 'arraybuffer';
    const connection: Connection = {
      socket,
      isOpened: false,
      receivedBytes: 0,
      drawnBytes: 0,
      reportedBytes: 0,
      missed: 0,
      timer: setTimeout(() => this.#lose(connection, 'the controller does not answer'), OPEN_MS),
    };
    this.#connection = connection;
    socket.addEventListener('open', () => {
      const given = token();
      tell(socket, {
        type: 'open',
        machine,
        kind,
        paced: true,
        ...size(),
        ...(given === null ? {} : { token: given }),
      });
    });
    socket.addEventListener('message', ({ data }: MessageEvent<unknown>) => this.#receive(connection, data));
    socket.addEventListener('close', ({ code, reason }) => {
      if (code !== LIVE_CLOSE.token) return this.#lose(connection, 'the connection to the controller was lost');
      this.#finish(connection, { name: 'refused', reason: reason || 'the token was refused', code: 'unauthorized' });
    });
  }

  /** Sends what was typed or pasted; false, and nothing is sent, while no terminal is open or too much waits to be sent. */
  type(bytes: Uint8Array<ArrayBuffer>): boolean {
    const open = this.#open;
    if (open === null || open.socket.bufferedAmount + bytes.length > UNSENT_MAX_BYTES) return false;
    for (let from = 0; from < bytes.length; from += INPUT_MAX_BYTES) {
      open.socket.send(bytes.slice(from, from + INPUT_MAX_BYTES));
    }
    return true;
  }

  /** Tells the machine that the terminal has another size. */
  resize(size: TerminalSize): void {
    if (this.#open !== null) tell(this.#open.socket, { type: 'resize', ...size });
  }

  /** The page is in sight again, or out of it: what counts as drawn is told anew. */
  allowanceChanged(): void {
    if (this.#connection !== null) this.#report(this.#connection);
  }

  /** Ends the terminal and tries no more. */
  close(): void {
    this.#isOver = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    const connection = this.#connection;
    if (connection === null) return;
    this.#drop(connection);
    connection.socket.close();
  }

  get #open(): Connection | null {
    const connection = this.#connection;
    return connection?.isOpened === true && connection.socket.readyState === connection.socket.OPEN ? connection : null;
  }

  #receive(connection: Connection, data: unknown): void {
    if (this.#connection !== connection) return;
    connection.missed = 0;
    if (data instanceof ArrayBuffer) {
      connection.receivedBytes += data.byteLength;
      this.#options.onOutput(new Uint8Array(data), () => {
        connection.drawnBytes += data.byteLength;
        this.#report(connection);
      });
      this.#report(connection);
      return;
    }
    const message = parse(data);
    if (message?.type === 'opened') this.#begin(connection);
    // It lasted: the next pause is a short one again.
    if (message?.type === 'beat') this.#failures = 0;
    if (message?.type !== 'closed') return;
    const { reason, code } = message;
    if (connection.isOpened) return this.#finish(connection, { name: 'ended', reason });
    // After a restart of the controller its agents come back a little later than this page.
    const isConsole = this.#options.kind === 'console';
    if (code === 'agent-away' && isConsole && this.#wasOpen) return this.#lose(connection, reason);
    this.#finish(connection, { name: 'refused', reason, code: code ?? null });
  }

  #begin(connection: Connection): void {
    clearTimeout(connection.timer);
    connection.timer = setInterval(() => {
      connection.missed += 1;
      if (connection.missed > MISSED_MAX) this.#lose(connection, 'the controller is not heard any more');
    }, TERMINAL_BEAT_SECONDS * 1000);
    connection.isOpened = true;
    this.#wasOpen = true;
    this.#options.onState({ name: 'open' });
  }

  #report(connection: Connection): void {
    if (this.#connection !== connection || connection.socket.readyState !== connection.socket.OPEN) return;
    const waiting = connection.receivedBytes - connection.drawnBytes;
    const bytes = connection.receivedBytes - Math.max(0, waiting - (this.#options.allowance?.() ?? 0));
    if (bytes - connection.reportedBytes < REPORT_BYTES) return;
    connection.reportedBytes = bytes;
    tell(connection.socket, { type: 'drawn', bytes });
  }

  #lose(connection: Connection, reason: string): void {
    if (this.#connection !== connection) return;
    const isRetried = this.#options.kind === 'console' || !this.#wasOpen;
    this.#finish(connection, { name: 'lost', reason, isRetried });
    if (!isRetried) return;
    this.#retry = setTimeout(() => this.connect(), reconnectPauseMs(this.#failures));
    this.#failures += 1;
  }

  /** Ends a connection; whatever it still says is not listened to. */
  #finish(connection: Connection, state: SessionState): void {
    if (this.#connection !== connection) return;
    this.#drop(connection);
    connection.socket.close();
    this.#options.onState(state);
  }

  #drop(connection: Connection): void {
    // Clears a timeout as well.
    clearInterval(connection.timer);
    this.#connection = null;
  }
}

const tell = (socket: WebSocket, message: FromTerminalUser): void => socket.send(JSON.stringify(message));

/** Null for what this page does not know, such as a frame of a later controller. */
function parse(data: unknown): ToTerminalUser | null {
  try {
    return ToTerminalUser.safeParse(JSON.parse(String(data))).data ?? null;
  } catch {
    return null;
  }
}
