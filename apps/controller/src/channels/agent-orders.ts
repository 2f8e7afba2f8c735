import { log } from '@peerlab/runtime';
import type { IsDue, ReconcileService } from '../dispatch/reconcile.service.js';
import type { AgentConnection } from './agent-connection.js';

/** An order is repeated when the agent has not acted on it after this time, in milliseconds. */
const RESEND_MS = 10_000;

/** Sends agents their orders: assignments, cancelations and probes. */
export class AgentOrders {
  readonly #reconcile: ReconcileService;

  constructor(reconcile: ReconcileService) {
    this.#reconcile = reconcile;
  }

  /** Sends the orders that are due: new ones, and those that the agent did not act on within RESEND_MS. */
  async send(connection: AgentConnection, agent: string): Promise<void> {
    const now = performance.now();
    const isDue: IsDue = (order, participantId) => {
      const sent = connection.sentAt.get(`${order} ${participantId}`);
      return sent === undefined || now - sent >= RESEND_MS;
    };
    for (const order of await this.#reconcile.ordersFor(agent, connection.held, isDue)) {
      const id = order.type === 'assign' ? order.assignment.participantId : order.participantId;
      // Checked again: a concurrent call may have sent it during the read.
      if (!isDue(order.type, id)) continue;
      connection.sentAt.set(`${order.type} ${id}`, now);
      const problem = connection.send(order);
      if (problem !== null && order.type === 'assign') await this.#reconcile.refuse(id, problem);
    }
  }

  /** Sends due orders soon. Calls during a read are answered by one further read: a whole run may be dispatched at once. */
  wake(connection: AgentConnection, agent: string): void {
    connection.woken = true;
    if (connection.sendingOrders) return;
    this.#sendWhileWoken(connection, agent).catch((err: unknown) => log.error({ err, agent }, 'orders-not-sent'));
  }

  async #sendWhileWoken(connection: AgentConnection, agent: string): Promise<void> {
    connection.sendingOrders = true;
    try {
      while (connection.woken) {
        connection.woken = false;
        await this.send(connection, agent);
      }
    } finally {
      connection.sendingOrders = false;
    }
  }
}
