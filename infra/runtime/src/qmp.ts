import { connect, type Socket } from 'node:net';

/** QEMU answers within milliseconds; a longer wait means that it is stuck or that another client has its monitor. */
export const QMP_TIMEOUT_MS = 15_000;
/** Longest line that is read, in characters; the largest answer of QEMU, its schema, has 300 000. */
const LINE_MAX = 4 * 1024 * 1024;

/** A monitor that could not be used, in words that name its socket. */
export class QmpError extends Error {
  constructor(path: string, problem: string, cause?: unknown) {
    super(`the QEMU monitor ${path} ${problem}`, cause === undefined ? undefined : { cause });
    this.name = 'QmpError';
  }
}

export interface QmpOptions {
  /** Deadline of connecting, and of each command, in milliseconds. Default: QMP_TIMEOUT_MS. */
  timeoutMs?: number;
  /** Ends what is under way, with its reason. */
  signal?: AbortSignal;
}

/** What a line of the QEMU machine protocol is. */
export type QmpMessage =
  | { kind: 'greeting' }
  | { kind: 'event'; event: string; data: unknown }
  | { kind: 'answer'; id: unknown; value: unknown }
  | { kind: 'error'; id: unknown; text: string };

/** @throws Error when the line is not JSON or no message of the protocol */
export function readQmpLine(line: string): QmpMessage {
  const message: unknown = JSON.parse(line);
  if (!isRecord(message)) throw new Error('a message is not an object');
  if ('QMP' in message) return { kind: 'greeting' };
  if (typeof message['event'] === 'string') {
    return { kind: 'event', event: message['event'], data: message['data'] ?? null };
  }
  if (isRecord(message['error'])) {
    const { desc } = message['error'];
    return { kind: 'error', id: message['id'], text: typeof desc === 'string' ? desc : 'no reason given' };
  }
  if ('return' in message) return { kind: 'answer', id: message['id'], value: message['return'] };
  throw new Error('a message of an unknown kind');
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

interface Waiter {
  command: string;
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/** A connection to one QEMU monitor: commands, events, and its end. QEMU serves one client of a monitor at a time. */
export class QmpConnection {
  readonly #path: string;
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  readonly #onEvent: (event: string, data: unknown) => void;
  /** Commands without an answer by their number; the greeting counts as the answer to number 0. */
  readonly #waiters = new Map<unknown, Waiter>();
  readonly #decoder = new TextDecoder();
  #nextId = 0;
  /** What came after the last line end. */
  #rest: string[] = [];
  #restLength = 0;
  /** Why the connection ended, once it has. */
  #problem: QmpError | null = null;
  /** Resolves when the connection is gone, for whatever reason. */
  readonly closed: Promise<void>;

  private constructor(path: string, timeoutMs: number, onEvent: (event: string, data: unknown) => void) {
    this.#path = path;
    this.#timeoutMs = timeoutMs;
    this.#onEvent = onEvent;
    this.#socket = connect(path);
    this.closed = new Promise((resolve) => {
      this.#socket.once('close', () => {
        this.#fail('closed the connection');
        resolve();
      });
    });
    let isConnected = false;
    this.#socket.once('connect', () => {
      isConnected = true;
    });
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#fail(isConnected ? 'closed the connection' : `cannot be reached (${error.code ?? error.message})`);
    });
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk));
  }

  /**
   * Connects and enters command mode.
   * @param onEvent called for every event; must not throw
   * @throws QmpError, or the reason of the signal
   */
  static async open(
    path: string,
    onEvent: (event: string, data: unknown) => void,
    { timeoutMs = QMP_TIMEOUT_MS, signal }: QmpOptions = {},
  ): Promise<QmpConnection> {
    signal?.throwIfAborted();
    const connection = new QmpConnection(path, timeoutMs, onEvent);
    try {
      await connection.#answer('the connection', () => undefined, signal);
      await connection.command('qmp_capabilities', signal);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /**
   * Runs a command.
   * @param args its arguments, as QEMU names them
   * @returns its `return` value
   * @throws QmpError when QEMU refuses it, does not answer in time or goes away; the reason of the signal
   */
  async command(execute: string, signal?: AbortSignal, args?: Readonly<Record<string, unknown>>): Promise<unknown> {
    const send = (id: number): boolean => this.#socket.write(`${JSON.stringify({ execute, arguments: args, id })}\n`);
    return this.#answer(execute, send, signal);
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Awaits the answer to what `send` sends. */
  async #answer(command: string, send: (id: number) => void, signal?: AbortSignal): Promise<unknown> {
    signal?.throwIfAborted();
    if (this.#problem !== null) throw this.#problem;
    const id = this.#nextId++;
    let onAbort: (() => void) | undefined;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#waiters.set(id, { command, resolve, reject });
        timer = setTimeout(
          () => reject(new QmpError(this.#path, `does not answer ${command} within ${this.#timeoutMs / 1000} s`)),
          this.#timeoutMs,
        );
        onAbort = () => reject(signal?.reason as Error);
        signal?.addEventListener('abort', onAbort, { once: true });
        send(id);
      });
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(id);
      if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Looks at each character once, however the bytes are cut into chunks. */
  #receive(chunk: Buffer): void {
    const [first = '', ...others] = this.#decoder.decode(chunk, { stream: true }).split('\n');
    this.#rest.push(first);
    this.#restLength += first.length;
    for (const next of others) {
      const line = this.#rest.join('');
      this.#rest = [next];
      this.#restLength = next.length;
      if (line.trim() !== '') this.#receiveLine(line);
      if (this.#problem !== null) return;
    }
    if (this.#restLength > LINE_MAX) this.#fail(`sent a line of more than ${LINE_MAX} characters`);
  }

  #receiveLine(line: string): void {
    let message: QmpMessage;
    try {
      message = readQmpLine(line);
    } catch (error) {
      this.#fail('does not speak QMP', error);
      return;
    }
    switch (message.kind) {
      case 'greeting':
        this.#waiters.get(0)?.resolve(null);
        return;
      case 'event':
        this.#onEvent(message.event, message.data);
        return;
      case 'answer':
        this.#waiters.get(message.id)?.resolve(message.value);
        return;
      case 'error': {
        const waiter = this.#waiters.get(message.id);
        waiter?.reject(new QmpError(this.#path, `refused ${waiter.command}: ${message.text}`));
      }
    }
  }

  /** Ends the connection, and everything that waits for it, with the first problem. */
  #fail(problem: string, cause?: unknown): void {
    if (this.#problem !== null) return;
    this.#problem = new QmpError(this.#path, problem, cause);
    for (const waiter of this.#waiters.values()) waiter.reject(this.#problem);
    this.#socket.destroy();
  }
}

/**
 * Runs one command over a connection of its own, because the monitor is shared with other clients.
 * @returns its `return` value
 * @throws QmpError, or the reason of the signal
 */
export async function runQmpCommand(path: string, execute: string, options: QmpOptions = {}): Promise<unknown> {
  const connection = await QmpConnection.open(path, () => undefined, options);
  try {
    return await connection.command(execute, options.signal);
  } finally {
    connection.close();
  }
}
