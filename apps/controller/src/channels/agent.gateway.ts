import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Injectable } from '@nestjs/common';
import {
  AGENT_LOST_SECONDS,
  AGENT_PROTOCOLS,
  FRAME_MAX_BYTES,
  LEASE_SECONDS,
  type FromAgent,
  type SpoolStream,
  type ToAgent,
} from '@peerlab/contracts';
import { WebSocketServer } from 'ws';
import { StaleFence } from '../attempts/attempt-store.js';
import { ReconcileService, type IsDue } from '../dispatch/reconcile.service.js';
import { FleetService, InventoryRefused } from '../fleet/fleet.service.js';
import { SiteService } from '../fleet/site.service.js';
import { LogService } from '../logs/log.service.js';
import { TokenService, type Identity } from '../platform/auth/token.service.js';
import { ProblemError } from '../platform/http/problem.js';
import { Bus } from '../platform/database/bus.js';
import { errorFields, writeLog } from '../platform/logging.js';
import { EventIntake } from '../dispatch/event-intake.js';
import { AgentConnection } from './agent-connection.js';
import type { MalformedFrame } from './agent-frame.js';
import { ConnectionLimit } from './connection-limit.js';
import { FrameFailures } from './frame-failures.js';

/**
 * Connections of one token that stay: the one in use, and those before it that are not known to be gone yet. Each
 * may hold some frames in memory.
 */
const CONNECTIONS_KEPT = 4;

/** An order is repeated when the agent has not taken it up after this long. */
const RESEND_MS = 10_000;

/** Connections of one token beyond which a further one is refused, while those that have to go are still there. */
const CONNECTIONS_PER_TOKEN = 16;
const CONNECTIONS_MAX = 2000;

type Hello = Extract<FromAgent, { type: 'hello' }>;
type InventoryFrame = Extract<FromAgent, { type: 'inventory' }>;
type Heartbeat = Extract<FromAgent, { type: 'heartbeat' }>;

/** The agents' WebSocket channel: frames in, service calls, frames out. No rules of its own. */
@Injectable()
export class AgentGateway {
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: FRAME_MAX_BYTES, perMessageDeflate: false });
  readonly #byAgent = new Map<string, AgentConnection>();
  readonly #all = new Set<AgentConnection>();
  /** The tokens that connections came with. */
  readonly #tokenOf = new WeakMap<AgentConnection, Identity>();
  readonly #connections = new ConnectionLimit(CONNECTIONS_PER_TOKEN, CONNECTIONS_MAX);
  readonly #failures = new FrameFailures();
  /** Departures being recorded. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #tokens: TokenService;
  readonly #fleet: FleetService;
  readonly #sites: SiteService;
  readonly #reconcile: ReconcileService;
  readonly #logs: LogService;
  readonly #events: EventIntake;

  constructor(
    tokens: TokenService,
    fleet: FleetService,
    sites: SiteService,
    reconcile: ReconcileService,
    logs: LogService,
    events: EventIntake,
    bus: Bus,
  ) {
    this.#tokens = tokens;
    this.#fleet = fleet;
    this.#sites = sites;
    this.#reconcile = reconcile;
    this.#logs = logs;
    this.#events = events;
    bus.onMessage((message) => {
      if (message.type === 'agent-work') this.#wake(message.agent);
      if (message.type === 'agent-connected') this.#supersede(message.agent, message.connection);
    });
  }

  /** Accepts a connection with an agent's token; throws ProblemError 401 or 429 for others, before any upgrade. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const identity = await this.#tokens.identify(request.headers.authorization, request.socket.remoteAddress);
    if (identity?.kind !== 'agent') {
      throw new ProblemError(401, 'unauthorized', 'the agent channel needs an agent token in the Authorization header');
    }
    const end = this.#connections.begin(identity.id);
    socket.once('close', end);
    if (socket.destroyed) return end();
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const connection: AgentConnection = new AgentConnection(webSocket, identity.name, {
        frame: (frame) => this.#guarded(connection, frame),
        malformed: (frame) => this.#refuseFrame(connection, frame),
      });
      this.#makeRoom(identity.id);
      this.#all.add(connection);
      this.#tokenOf.set(connection, identity);
      webSocket.on('close', () => this.#part(connection));
    });
  }

  /** Of a token with too many connections the oldest one ends, as a newer connection of an agent wins. */
  #makeRoom(token: string): void {
    const open = [...this.#all].filter((connection) => this.#tokenOf.get(connection)?.id === token);
    for (const connection of open.slice(0, Math.max(0, open.length + 1 - CONNECTIONS_KEPT))) connection.terminate();
  }

  /** Ends connections without a sign of life; a half-open one would look alive for hours. */
  dropSilent(): void {
    const limit = performance.now() - AGENT_LOST_SECONDS * 1000;
    for (const connection of this.#all) if (connection.lastFrameAt < limit) connection.terminate();
  }

  /** Ends connections whose token was revoked since; the upgrade refuses them from then on. */
  async dropRevoked(): Promise<void> {
    const connections = [...this.#all].map((connection) => ({
      connection,
      token: this.#tokenOf.get(connection)?.id ?? '',
    }));
    if (connections.length === 0) return;
    const revoked = await this.#tokens.revokedAmong(connections.map(({ token }) => token));
    for (const { connection, token } of connections) if (revoked.has(token)) connection.terminate();
  }

  /** Closes all connections after what they sent has been stored. */
  async close(): Promise<void> {
    await Promise.all([...this.#all].map((connection) => connection.drained()));
    const gone = [...this.#all].map((connection) => connection.terminated());
    await Promise.all(gone);
    await Promise.all(this.#leaving);
    this.#server.close();
  }

  /** A report that fails is sent anew by the next heartbeat; everything else is about one machine or attempt. */
  async #guarded(connection: AgentConnection, frame: FromAgent): Promise<void> {
    const handle = (): Promise<void> => this.#handle(connection, frame);
    if (frame.type === 'hello' || frame.type === 'heartbeat') return handle();
    const subject =
      frame.type === 'inventory' ? `machine ${frame.machine} of ${connection.tokenName}` : frame.attemptId;
    return this.#failures.guard(subject, handle);
  }

  async #handle(connection: AgentConnection, frame: FromAgent): Promise<void> {
    if (frame.type === 'hello') return this.#hello(connection, frame);
    const { agent } = connection;
    if (agent === null) return connection.refuse('malformed', 'say hello first');
    switch (frame.type) {
      case 'heartbeat':
        return this.#heartbeat(connection, agent, frame);
      case 'inventory':
        return this.#inventory(connection, agent, frame);
      case 'accepted':
        return dropWhenStale(connection, frame.attemptId, () => this.#reconcile.accept(agent, frame));
      case 'declined':
        return dropWhenStale(connection, frame.attemptId, () => this.#reconcile.decline(agent, frame));
      case 'log':
        return dropWhenStale(connection, frame.attemptId, async () =>
          acknowledge(connection, frame.attemptId, frame.stream, await this.#logs.append(agent, frame)),
        );
      case 'events':
        return dropWhenStale(connection, frame.attemptId, async () =>
          acknowledge(connection, frame.attemptId, 'events', await this.#events.take(agent, frame)),
        );
    }
  }

  /** What cannot be read costs the machine or the attempt that it is about. */
  async #refuseFrame(connection: AgentConnection, { type, problem, machine, attempt }: MalformedFrame): Promise<void> {
    const { agent } = connection;
    if (agent === null) return connection.refuse('malformed', 'say hello first');
    if (machine !== null) return this.#refuseInventory(connection, agent, machine, `it is malformed: ${problem}`);
    if (attempt === null) return;
    const { attemptId, fence } = attempt;
    const reason = `agent ${agent} sent a malformed "${type}" frame of it (${problem}); what it sends of it after that is not kept`;
    try {
      await dropWhenStale(connection, attemptId, () => this.#reconcile.abandon(agent, attemptId, fence, reason));
    } catch (error) {
      // It stays leased until the reaper can end it; its agent must not send the frame again.
      writeLog('error', 'attempt-not-ended', { agent, attempt: attemptId, ...errorFields(error) });
    }
    // Not `revoked`: the agent would deliver what it has, and the same frame again.
    connection.send({ type: 'drop', attemptId, code: 'unknown', reason });
  }

  async #inventory(connection: AgentConnection, agent: string, { machine, inventory }: InventoryFrame): Promise<void> {
    try {
      await this.#fleet.recordInventory(agent, machine, inventory);
      connection.inventoryProblems.delete(machine);
    } catch (error) {
      if (!(error instanceof InventoryRefused)) throw error;
      writeLog('warn', 'inventory-refused', { agent, machine, problem: error.message });
      await this.#refuseInventory(connection, agent, machine, error.message);
    }
  }

  /** The machine gets no work until a good inventory of it has come. */
  async #refuseInventory(connection: AgentConnection, agent: string, machine: string, why: string): Promise<void> {
    const problem = `its inventory was refused: ${why}; update the agent or mend the machine, then probe it again`;
    // A name that no machine of the agent has would stay here for ever.
    if (await this.#fleet.noteProblem(agent, machine, problem)) connection.inventoryProblems.set(machine, problem);
  }

  async #hello(connection: AgentConnection, hello: Hello): Promise<void> {
    if (!AGENT_PROTOCOLS.includes(hello.protocol)) {
      const message = `this controller speaks protocols ${AGENT_PROTOCOLS.join(' and ')}, the agent ${hello.protocol}; update the older one`;
      return connection.refuse('protocol', message);
    }
    if (hello.agent !== connection.tokenName) {
      const message = `the token belongs to agent "${connection.tokenName}", not "${hello.agent}"`;
      return connection.refuse('agent-name', message);
    }
    const { site: tokenSite = null, only = null } = this.#tokenOf.get(connection)?.limits ?? {};
    const otherSite = await this.#sites.bind(hello.agent, hello.site, tokenSite);
    if (otherSite !== null) return connection.refuse('agent-name', otherSite);
    connection.agent = hello.agent;
    connection.protocol = hello.protocol;
    connection.held = hello.attempts;
    this.#byAgent.get(hello.agent)?.supersede();
    this.#byAgent.set(hello.agent, connection);
    const capabilities = hello.capabilities.filter((work) => only === null || work === only);
    await this.#fleet.agentConnected({ ...hello, capabilities }, connection.id, tokenSite !== null);
    const { agent, protocol, beat = 0 } = hello;
    const attempts = await this.#reconcile.welcome(agent, connection.id, hello.attempts);
    connection.send({ type: 'welcome', protocol, agent, attempts, beat, leaseSeconds: LEASE_SECONDS });
    await this.#giveWork(connection, agent);
  }

  async #heartbeat(connection: AgentConnection, agent: string, heartbeat: Heartbeat): Promise<void> {
    connection.held = heartbeat.attempts;
    const { attempts: held } = heartbeat;
    const machines = heartbeat.machines.map((machine) => {
      const problem = connection.inventoryProblems.get(machine.name);
      return problem === undefined || !machine.reachable ? machine : { ...machine, reachable: false, problem };
    });
    if (!(await this.#fleet.recordHeartbeat(agent, connection.id, machines, held))) return connection.supersede();
    const attempts = await this.#reconcile.reconcile(agent, connection.id, held);
    connection.send({ type: 'renewed', beat: heartbeat.beat ?? 0, leaseSeconds: LEASE_SECONDS, attempts });
    await this.#giveWork(connection, agent);
  }

  /** Sends what the agent should do and has not been told lately. */
  async #giveWork(connection: AgentConnection, agent: string): Promise<void> {
    const now = performance.now();
    const isDue: IsDue = (order, attemptId) => {
      const sent = connection.sentAt.get(`${order} ${attemptId}`);
      return sent === undefined || now - sent >= RESEND_MS;
    };
    for (const order of await this.#reconcile.ordersFor(agent, connection.held, isDue)) {
      const id = order.type === 'assign' ? order.assignment.attemptId : order.attemptId;
      // Asked again: another wake-up may have sent it while this one was reading.
      if (!isDue(order.type, id)) continue;
      connection.sentAt.set(`${order.type} ${id}`, now);
      const problem = connection.send(order);
      if (problem !== null && order.type === 'assign') await this.#reconcile.refuse(id, problem);
    }
  }

  #wake(agent: string): void {
    const connection = this.#byAgent.get(agent);
    if (connection === undefined) return;
    connection.woken = true;
    if (connection.giving) return;
    this.#giveUntilQuiet(connection, agent).catch((error: unknown) =>
      writeLog('error', 'work could not be given to an agent', { agent, ...errorFields(error) }),
    );
  }

  /** One reading serves all wake-ups that come meanwhile: a whole run may be dispatched at once. */
  async #giveUntilQuiet(connection: AgentConnection, agent: string): Promise<void> {
    connection.giving = true;
    try {
      while (connection.woken) {
        connection.woken = false;
        await this.#giveWork(connection, agent);
      }
    } finally {
      connection.giving = false;
    }
  }

  #supersede(agent: string, newest: string): void {
    const connection = this.#byAgent.get(agent);
    if (connection !== undefined && connection.id !== newest) connection.supersede();
  }

  #part(connection: AgentConnection): void {
    this.#all.delete(connection);
    const { agent } = connection;
    if (agent === null) return;
    if (this.#byAgent.get(agent) === connection) this.#byAgent.delete(agent);
    const leaving = this.#recordLeaving(connection, agent).finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  /** What was received is handled first, so that a goodbye does not overtake its own frames. */
  async #recordLeaving(connection: AgentConnection, agent: string): Promise<void> {
    try {
      await connection.drained();
      await this.#fleet.agentDisconnected(agent, connection.id);
    } catch (error) {
      writeLog('warn', 'the leaving of an agent was not recorded', { agent, ...errorFields(error) });
    }
  }
}

function acknowledge(
  connection: AgentConnection,
  attemptId: string,
  stream: (typeof SpoolStream)['options'][number],
  next: number,
): void {
  connection.send({ type: 'ack', attemptId, stream, next } satisfies ToAgent);
}

async function dropWhenStale(connection: AgentConnection, attemptId: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof StaleFence)) throw error;
    connection.send({ type: 'drop', attemptId, code: error.code, reason: error.message });
  }
}
