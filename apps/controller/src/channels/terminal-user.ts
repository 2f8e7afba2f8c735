import { INPUT_MAX_BYTES, UNDRAWN_MAX_BYTES, type TerminalSize, type ToTerminalUser } from '@peerlab/contracts';
import type { WebSocket } from 'ws';
import { announce } from '../platform/database/bus.js';
import type { Queries } from '../platform/database/sql.js';
import type { TerminalStore } from '../reservations/terminal-store.js';

/** Close code of a terminal that is over; the last frame says why. */
const CLOSE_NORMAL = 1000;
/** Pieces after which the agent is told that they were taken; a quarter of its window. */
const ACK_EVERY = 8;
/** Beats that a page may leave unanswered before its connection counts as lost. */
const UNANSWERED_MAX = 6;

/** A person at an open terminal: shows what it prints, and passes on what is typed, both in order and one at a time. */
export class TerminalUser {
  readonly id: string;
  readonly #agent: string;
  readonly #socket: WebSocket;
  readonly #sql: Queries;
  readonly #store: TerminalStore;
  /** Numbers of the next piece to show, and of the first that the agent does not know to be shown. */
  #next = 0;
  #acked = 0;
  #typed = 0;
  #showing = false;
  #again = false;
  #typing: Promise<void> = Promise.resolve();
  #sentBytes = 0;
  /** Of a page; null for a program, which does not say it and reads no more than it can take. */
  #drawnBytes: number | null;
  /** Wakes what waits until the page drew more, or left. */
  #wake: () => void = () => undefined;
  #unanswered = 0;

  /** @param isPaced whether it says what it drew */
  constructor(
    terminal: { id: string; agent: string },
    isPaced: boolean,
    socket: WebSocket,
    sql: Queries,
    store: TerminalStore,
  ) {
    this.id = terminal.id;
    this.#drawnBytes = isPaced ? 0 : null;
    socket.on('pong', () => (this.#unanswered = 0));
    socket.once('close', () => this.#wake());
    this.#agent = terminal.agent;
    this.#socket = socket;
    this.#sql = sql;
    this.#store = store;
  }

  /** Shows what was printed since; calls meanwhile are answered by one more look. Rejects when it cannot be read. */
  async show(): Promise<void> {
    this.#again = true;
    if (this.#showing) return;
    this.#showing = true;
    try {
      while (this.#again && this.#isOpen) {
        this.#again = false;
        await this.#showOnce();
      }
    } finally {
      this.#showing = false;
    }
  }

  async #showOnce(): Promise<void> {
    const { pieces, why } = await this.#store.read(this.id, this.#next);
    for (const { number, data } of pieces) {
      await this.#untilDrawn();
      // The next one when this one has left: a slow reader holds the agent back.
      await new Promise<void>((resolve) => this.#socket.send(data, () => resolve()));
      this.#sentBytes += data.length;
      this.#next = number + 1;
      if (this.#next - this.#acked >= ACK_EVERY) await this.acknowledge();
    }
    if (pieces.length > 0) {
      this.#again = true;
      return;
    }
    if (this.#next > this.#acked) await this.acknowledge();
    if (why === null) return;
    tellUser(this.#socket, { type: 'closed', reason: why });
    this.#socket.close(CLOSE_NORMAL);
  }

  /** Until a page has drawn enough of what it was sent, or left. */
  async #untilDrawn(): Promise<void> {
    while (this.#isOpen && this.#drawnBytes !== null && this.#sentBytes - this.#drawnBytes >= UNDRAWN_MAX_BYTES) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** A page says what it drew; of more than it was sent, and of less than before, nothing is believed. */
  drawn(bytes: number): void {
    if (this.#drawnBytes === null || bytes <= this.#drawnBytes || bytes > this.#sentBytes) return;
    this.#drawnBytes = bytes;
    this.#wake();
  }

  /** Says to a page that the controller is there; cuts off one that did not answer for long. */
  beat(): void {
    if (this.#drawnBytes === null) return;
    if (this.#unanswered >= UNANSWERED_MAX) return this.#socket.terminate();
    this.#unanswered += 1;
    this.#socket.ping();
    tellUser(this.#socket, { type: 'beat' });
  }

  /** Tells the agent what was taken; told again now and then, as it is only a hint. */
  async acknowledge(): Promise<void> {
    this.#acked = this.#next;
    await announce(this.#sql, { type: 'terminal-ack', agent: this.#agent, terminalId: this.id, next: this.#next });
  }

  /** Passes on what was typed; nothing more is read of the person meanwhile. */
  type(data: Buffer): Promise<void> {
    this.#socket.pause();
    this.#typing = this.#typing
      .then(async () => {
        for (let from = 0; from < data.length; from += INPUT_MAX_BYTES) {
          const piece = data.subarray(from, from + INPUT_MAX_BYTES).toString('base64');
          const number = this.#typed;
          this.#typed += 1;
          const message = {
            type: 'terminal-input',
            agent: this.#agent,
            terminalId: this.id,
            number,
            data: piece,
          } as const;
          await announce(this.#sql, message);
        }
      })
      .finally(() => this.#socket.resume());
    return this.#typing;
  }

  async resize({ columns, rows }: TerminalSize): Promise<void> {
    await announce(this.#sql, { type: 'terminal-resize', agent: this.#agent, terminalId: this.id, columns, rows });
  }

  get #isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }
}

export function tellUser(socket: WebSocket, message: ToTerminalUser): void {
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
}
