import { OUTPUT_MAX_BYTES, OUTPUT_WINDOW, type FromAgent, type ToAgent } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { adviceOf } from '../machine/errors.js';
import type { Machine, TerminalChannel } from '../machine/protocols.js';
import { openConsoleTerminal } from './console-terminal.js';

type Open = Extract<ToAgent, { type: 'terminal-open' }>;
export type TerminalOrder = Extract<ToAgent, { type: `terminal-${string}` }>;

/** Bytes typed that a machine may leave unread: somebody pastes into a program that does not read. */
const UNREAD_MAX_BYTES = 256 * 1024;
const CONNECT_MS = 30_000;
/** Pause before output is offered again to a connection that took no more. */
const RETRY_MS = 50;

interface Terminal {
  source: TerminalChannel | null;
  /** Why it is to be closed as soon as it is open. */
  closing: string | null;
  /** Of the piece of output that comes next, and of the first that was not taken yet. */
  next: number;
  acked: number;
  /** Read, but not sent: the window is full. At most what one read gives. */
  waiting: Buffer[];
  inputNext: number;
  /** Typed before it was open. */
  early: Buffer;
  /** Set while the connection took no more. */
  retry: NodeJS.Timeout | null;
}

/**
 * Terminals of this agent's machines: shells and consoles, between a machine and a person at the controller. They live as long
 * as the connection to the controller: one that is lost closes them.
 */
export class Terminals {
  readonly #machines: ReadonlyMap<string, Machine>;
  readonly #send: (frame: FromAgent) => boolean;
  readonly #open = new Map<string, Terminal>();

  constructor(machines: readonly Machine[], send: (frame: FromAgent) => boolean) {
    this.#machines = new Map(machines.map((machine) => [machine.name, machine]));
    this.#send = send;
  }

  receive(order: TerminalOrder): void {
    if (order.type === 'terminal-open') {
      // Told twice it is the same one.
      if (!this.#open.has(order.terminalId)) void this.#begin(order);
      return;
    }
    const terminal = this.#open.get(order.terminalId);
    if (terminal === undefined) return;
    switch (order.type) {
      case 'terminal-input':
        return this.#type(order.terminalId, terminal, order.number, Buffer.from(order.data, 'base64'));
      case 'terminal-ack':
        terminal.acked = Math.max(terminal.acked, Math.min(order.next, terminal.next));
        return this.#flush(order.terminalId, terminal);
      case 'terminal-resize':
        terminal.source?.resize(order.columns, order.rows);
        return;
      case 'terminal-close':
        return this.#close(order.terminalId, order.reason);
    }
  }

  /** The connection to the controller was lost, or the agent stops: nobody is at the other end any more. */
  closeAll(): void {
    for (const id of this.#open.keys()) this.#close(id, 'the connection to the controller was lost');
  }

  async #begin({ terminalId: id, machine: name, kind, columns, rows }: Open): Promise<void> {
    const terminal: Terminal = {
      source: null,
      closing: null,
      next: 0,
      acked: 0,
      waiting: [],
      inputNext: 0,
      early: Buffer.alloc(0),
      retry: null,
    };
    this.#open.set(id, terminal);
    let reason: string;
    try {
      const machine = this.#machines.get(name);
      if (machine === undefined) throw new Error(`this agent has no machine "${name}"`);
      const source =
        kind === 'console' ? await openConsoleTerminal(machine) : await openShell(machine, { columns, rows });
      terminal.source = source;
      log.info({ terminal: id, machine: name, kind }, 'terminal-opened');
      source.onData((data) => this.#take(id, terminal, data));
      if (terminal.early.length > 0) source.write(terminal.early);
      if (terminal.closing !== null) source.close();
      reason = await source.ended;
      this.#flush(id, terminal, true);
    } catch (error) {
      reason = adviceOf(error);
    }
    this.#open.delete(id);
    reason = terminal.closing ?? reason;
    log.info({ terminal: id, machine: name, reason }, 'terminal-closed');
    this.#send({ type: 'terminal-closed', terminalId: id, reason });
  }

  #take(id: string, terminal: Terminal, data: Buffer): void {
    for (let from = 0; from < data.length; from += OUTPUT_MAX_BYTES) {
      terminal.waiting.push(data.subarray(from, from + OUTPUT_MAX_BYTES));
    }
    this.#flush(id, terminal);
  }

  /** Sends what the window takes; the machine is read on when nothing waits. @param isLast all of it: nothing more comes */
  #flush(id: string, terminal: Terminal, isLast = false): void {
    const mayGo = (): boolean => isLast || terminal.next - terminal.acked < OUTPUT_WINDOW;
    while (terminal.waiting.length > 0 && mayGo()) {
      const data = terminal.waiting.shift() ?? Buffer.alloc(0);
      const frame = {
        type: 'terminal-output' as const,
        terminalId: id,
        number: terminal.next,
        data: data.toString('base64'),
      };
      if (!this.#send(frame)) {
        // Logs fill the connection at this moment, or it is down, which closes the terminal.
        terminal.waiting.unshift(data);
        terminal.retry ??= setTimeout(() => {
          terminal.retry = null;
          if (this.#open.get(id) === terminal) this.#flush(id, terminal);
        }, RETRY_MS);
        break;
      }
      terminal.next += 1;
    }
    if (terminal.waiting.length > 0) terminal.source?.pause();
    else terminal.source?.resume();
  }

  #type(id: string, terminal: Terminal, number: number, data: Buffer): void {
    if (number < terminal.inputNext) return;
    if (number > terminal.inputNext) return this.#close(id, 'a part of what was typed was lost');
    terminal.inputNext += 1;
    if (terminal.source === null) terminal.early = Buffer.concat([terminal.early, data]);
    const unread = terminal.source?.write(data) ?? terminal.early.length;
    if (unread > UNREAD_MAX_BYTES) this.#close(id, 'the machine does not read what is typed');
  }

  #close(id: string, reason: string): void {
    const terminal = this.#open.get(id);
    if (terminal === undefined) return;
    terminal.closing ??= reason;
    terminal.waiting = [];
    terminal.source?.close();
  }
}

async function openShell(machine: Machine, size: { columns: number; rows: number }): Promise<TerminalChannel> {
  const session = await machine.access.connect({ timeoutMs: CONNECT_MS });
  try {
    const channel = await session.openTerminal?.(size);
    if (channel === undefined) throw new Error(`${machine.access.address} offers no terminal`);
    void channel.ended.then(() => session.close());
    return {
      ...channel,
      // A shell may stay while something in the background holds its terminal.
      close: () => session.close(),
    };
  } catch (error) {
    session.close();
    throw error;
  }
}
