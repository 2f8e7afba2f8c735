import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { LabError } from './errors.js';

/** QEMU answers within milliseconds; only one that is stuck needs longer. */
const ANSWER_MS = 10_000;

interface Waiter {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/** What a line of the QEMU machine protocol is. */
export type QmpMessage =
  | { kind: 'greeting' }
  | { kind: 'event'; event: string; data: unknown }
  | { kind: 'answer'; id: number; value: unknown }
  | { kind: 'error'; id: number; text: string };

/** @throws SyntaxError when the line is not JSON */
export function readQmpLine(line: string): QmpMessage {
  const message = JSON.parse(line) as {
    QMP?: unknown;
    event?: string;
    data?: unknown;
    id?: number;
    return?: unknown;
    error?: { desc?: string };
  };
  if (message.event !== undefined) return { kind: 'event', event: message.event, data: message.data ?? null };
  if (message.error !== undefined)
    return { kind: 'error', id: message.id ?? -1, text: message.error.desc ?? 'no reason given' };
  if ('return' in message) return { kind: 'answer', id: message.id ?? -1, value: message.return };
  return { kind: 'greeting' };
}

/** A connection to one QEMU monitor: commands, events, and its end. */
export class QmpConnection {
  private nextId = 1;
  private readonly waiters = new Map<number, Waiter>();
  /** Settles when the connection is gone, for whatever reason. */
  readonly closed: Promise<void>;

  private constructor(
    private readonly socket: Socket,
    onEvent: (event: string, data: unknown) => void,
  ) {
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    void this.closed.then(() => this.failAll('QEMU closed its monitor'));
    socket.on('error', () => socket.destroy());
    const lines = createInterface({ input: socket });
    lines.on('line', (line) => this.receive(line, onEvent));
    // readline passes its input's errors on, and an error without a listener would end the lab.
    lines.on('error', () => undefined);
  }

  /** Connects and enters command mode. */
  static async open(path: string, onEvent: (event: string, data: unknown) => void): Promise<QmpConnection> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', () => resolve());
      socket.once('error', (error) => reject(new LabError(`${path}: ${error.message}`, 'is QEMU running?')));
    });
    const connection = new QmpConnection(socket, onEvent);
    await connection.command('qmp_capabilities');
    return connection;
  }

  private receive(line: string, onEvent: (event: string, data: unknown) => void): void {
    const message = readQmpLine(line);
    if (message.kind === 'event') onEvent(message.event, message.data);
    if (message.kind === 'answer') this.settle(message.id)?.resolve(message.value);
    if (message.kind === 'error')
      this.settle(message.id)?.reject(new LabError(`QEMU: ${message.text}`, 'see the QEMU log'));
  }

  private settle(id: number): Waiter | undefined {
    const waiter = this.waiters.get(id);
    this.waiters.delete(id);
    return waiter;
  }

  private failAll(why: string): void {
    for (const id of this.waiters.keys()) this.settle(id)?.reject(new LabError(why, 'see the QEMU log'));
  }

  /** Runs a command. @returns its `return` value */
  async command(execute: string): Promise<unknown> {
    const id = this.nextId++;
    const timer = setTimeout(
      () => this.settle(id)?.reject(new LabError(`QEMU does not answer ${execute}`, 'see the QEMU log')),
      ANSWER_MS,
    );
    try {
      return await new Promise((resolve, reject) => {
        this.waiters.set(id, { resolve, reject });
        this.socket.write(`${JSON.stringify({ execute, id })}\n`);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.socket.destroy();
  }
}
