import type { FromAgent } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import type { BusMessage } from '../platform/database/bus.js';
import type { TerminalStore } from '../reservations/terminal-store.js';
import type { AgentConnection } from './agent-connection.js';

type FromTerminal = Extract<FromAgent, { type: `terminal-${string}` }>;
type ForTerminal = Extract<
  BusMessage,
  { type: 'terminal-work' | 'terminal-input' | 'terminal-ack' | 'terminal-resize' }
>;

/** The agents' side of terminals. */
export class AgentTerminals {
  readonly #store: TerminalStore;
  /** By terminal: resolves when all that was said of it so far has been passed on. */
  readonly #passing = new Map<string, Promise<void>>();

  constructor(store: TerminalStore) {
    this.#store = store;
  }

  /** Passes on what the person's side says, in its order: what is typed does not overtake the opening. */
  tell(connection: AgentConnection, message: ForTerminal): void {
    const { terminalId } = message;
    const passed = (this.#passing.get(terminalId) ?? Promise.resolve())
      .then(() => this.#pass(connection, message))
      // The pass over open terminals closes one that its agent was not told of.
      .catch((err: unknown) => log.error({ err, terminal: terminalId }, 'terminal-order-not-passed-on'))
      .finally(() => {
        if (this.#passing.get(terminalId) === passed) this.#passing.delete(terminalId);
      });
    this.#passing.set(terminalId, passed);
  }

  async #pass(connection: AgentConnection, message: ForTerminal): Promise<void> {
    const { terminalId } = message;
    switch (message.type) {
      case 'terminal-work':
        return this.#work(connection, message.agent, terminalId);
      case 'terminal-input':
        connection.send({ type: 'terminal-input', terminalId, number: message.number, data: message.data });
        return;
      case 'terminal-ack':
        connection.send({ type: 'terminal-ack', terminalId, next: message.next });
        return;
      case 'terminal-resize':
        connection.send({ type: 'terminal-resize', terminalId, columns: message.columns, rows: message.rows });
    }
  }

  async #work(connection: AgentConnection, agent: string, terminalId: string): Promise<void> {
    const work = await this.#store.work(agent, connection.id, terminalId);
    if (work?.type === 'open') connection.send({ ...work, type: 'terminal-open', terminalId });
    if (work?.type === 'close') connection.send({ ...work, type: 'terminal-close', terminalId });
  }

  /** Stores what a terminal printed; one that is closed, or of which a piece is missing, is closed at the agent too. */
  async take(connection: AgentConnection, frame: FromTerminal): Promise<void> {
    const { terminalId: id } = frame;
    if (frame.type === 'terminal-closed') return this.#store.close(id, frame.reason, connection.id);
    const data = Buffer.from(frame.data, 'base64');
    if (await this.#store.take(connection.id, { id, number: frame.number, data })) return;
    connection.send({ type: 'terminal-close', terminalId: id, reason: 'the controller has closed it' });
  }
}
