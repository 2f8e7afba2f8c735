import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { log } from '@peerlab/runtime';
import {
  AGENT_LOST_SECONDS,
  AGENT_PROTOCOLS,
  FRAME_MAX_BYTES,
  LEASE_SECONDS,
  type AgentDisk,
  type FromAgent,
} from '@peerlab/contracts';
import { WebSocketServer } from 'ws';
import { ReconcileService } from '../dispatch/reconcile.service.js';
import { FleetService, InventoryRefused } from '../fleet/fleet.service.js';
import { SiteService } from '../fleet/site.service.js';
import { MeetingService } from '../meetings/meeting.service.js';
import { RestoreService } from '../reservations/restore.service.js';
import { TerminalStore } from '../reservations/terminal-store.js';
import { LogService } from '../logs/log.service.js';
import { TokenService, type Identity } from '../platform/auth/token.service.js';
import { Metrics } from '../platform/metrics/metrics.js';
import { ProblemError } from '../platform/http/problem.js';
import { Bus } from '../platform/database/bus.js';
import { EventIntake } from '../dispatch/event-intake.js';
import { AgentConnection } from './agent-connection.js';
import type { MalformedFrame } from './agent-frame.js';
import { AgentTerminals } from './agent-terminals.js';
import { AgentOrders } from './agent-orders.js';
import { acknowledge, dropWhenStale } from './attempt-replies.js';
import { ConnectionLimit } from './connection-limit.js';
import { FrameFailures } from './frame-failures.js';
import { MeetingReplies } from './meeting-replies.js';

/**
 * Connections of one token that stay open: the one in use, and earlier ones whose end was not noticed yet. Each may
 * buffer some frames.
 */
const CONNECTIONS_KEPT = 4;

/** Connections of one token beyond which a further one is refused, until terminated ones are closed. */
const CONNECTIONS_PER_TOKEN = 16;
const CONNECTIONS_MAX = 2000;

type Hello = Extract<FromAgent, { type: 'hello' }>;
type InventoryFrame = Extract<FromAgent, { type: 'inventory' }>;
type Heartbeat = Extract<FromAgent, { type: 'heartbeat' }>;

/** The agents' WebSocket channel: turns frames into service calls and their results into frames. It has no rules. */
@Injectable()
export class AgentGateway {
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: FRAME_MAX_BYTES, perMessageDeflate: false });
  readonly #byAgent = new Map<string, AgentConnection>();
  readonly #all = new Set<AgentConnection>();
  /** The tokens that connections came with. */
  readonly #tokenOf = new WeakMap<AgentConnection, Identity>();
  readonly #connections = new ConnectionLimit(CONNECTIONS_PER_TOKEN, CONNECTIONS_MAX);
  readonly #failures = new FrameFailures();
  readonly #orders: AgentOrders;
  /** Disconnects that are being recorded. */
  readonly #disconnecting = new Set<Promise<void>>();
  readonly #tokens: TokenService;
  readonly #fleet: FleetService;
  readonly #sites: SiteService;
  readonly #reconcile: ReconcileService;
  readonly #restores: RestoreService;
  readonly #terminals: AgentTerminals;
  readonly #logs: LogService;
  readonly #events: EventIntake;
  readonly #meetings: MeetingReplies;
  readonly #ingestSeconds;

  constructor(
    tokens: TokenService,
    fleet: FleetService,
    sites: SiteService,
    reconcile: ReconcileService,
    restores: RestoreService,
    terminals: TerminalStore,
    logs: LogService,
    events: EventIntake,
    meetings: MeetingService,
    bus: Bus,
    metrics: Metrics,
  ) {
    this.#tokens = tokens;
    this.#fleet = fleet;
    this.#sites = sites;
    this.#reconcile = reconcile;
    this.#restores = restores;
    this.#terminals = new AgentTerminals(terminals);
    this.#orders = new AgentOrders(reconcile);
    this.#logs = logs;
    this.#events = events;
    this.#meetings = new MeetingReplies(meetings);
    this.#ingestSeconds = metrics.duration('ingest_seconds', 'Time to handle a frame of an agent.', ['frame']);
    bus.onMessage((message) => {
      if (message.type === 'agent-work') {
        const connection = this.#byAgent.get(message.agent);
        if (connection !== undefined) this.#orders.wake(connection, message.agent);
      }
      if (message.type === 'meeting') {
        const connection = this.#byAgent.get(message.agent);
        if (connection !== undefined) this.#meetings.tell(connection, message.agent, message.participantId);
      }
      if (
        message.type === 'terminal-work' ||
        message.type === 'terminal-input' ||
        message.type === 'terminal-ack' ||
        message.type === 'terminal-resize'
      ) {
        const connection = this.#byAgent.get(message.agent);
        if (connection !== undefined) this.#terminals.tell(connection, message);
      }
      if (message.type === 'agent-connected') this.#superseded(message.agent, message.connection);
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
      webSocket.on('close', () => this.#onClose(connection));
    });
  }

  /** Terminates the oldest connections of a token that has too many: the newest connection of an agent wins. */
  #makeRoom(token: string): void {
    const open = [...this.#all].filter((connection) => this.#tokenOf.get(connection)?.id === token);
    for (const connection of open.slice(0, Math.max(0, open.length + 1 - CONNECTIONS_KEPT))) connection.terminate();
  }

  /** Open connections. */
  get size(): number {
    return this.#all.size;
  }

  /** Disks of the agents that are connected here. */
  disks(): { agent: string; disk: AgentDisk }[] {
    return [...this.#byAgent].map(([agent, { disk }]) => ({ agent, disk }));
  }

  /** Terminates connections that sent nothing for AGENT_LOST_SECONDS; a half-open one would look alive for hours. */
  dropSilent(): void {
    const limit = performance.now() - AGENT_LOST_SECONDS * 1000;
    for (const connection of this.#all) if (connection.lastFrameAt < limit) connection.terminate();
  }

  /** Terminates connections whose token was revoked meanwhile. */
  async dropRevoked(): Promise<void> {
    const connections = [...this.#all].map((connection) => ({
      connection,
      token: this.#tokenOf.get(connection)?.id ?? '',
    }));
    if (connections.length === 0) return;
    const revoked = await this.#tokens.revokedAmong(connections.map(({ token }) => token));
    for (const { connection, token } of connections) if (revoked.has(token)) connection.terminate();
  }

  /** Closes all connections after the frames that they sent have been handled. */
  async close(): Promise<void> {
    await Promise.all([...this.#all].map((connection) => connection.drained()));
    const gone = [...this.#all].map((connection) => connection.terminated());
    await Promise.all(gone);
    await Promise.all(this.#disconnecting);
    this.#server.close();
  }

  /** A failed report is repeated by the next heartbeat. Every other frame is about one machine or attempt. */
  async #guarded(connection: AgentConnection, frame: FromAgent): Promise<void> {
    const handle = async (): Promise<void> => {
      const end = this.#ingestSeconds.startTimer({ frame: frame.type });
      await this.#handle(connection, frame).finally(() => end());
    };
    if (frame.type === 'hello' || frame.type === 'heartbeat') return handle();
    return this.#failures.guard(subjectOf(frame, connection.tokenName), handle);
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
        return dropWhenStale(connection, frame.participantId, () => this.#reconcile.accept(agent, frame));
      case 'declined':
        return dropWhenStale(connection, frame.participantId, () => this.#reconcile.decline(agent, frame));
      case 'log':
        return dropWhenStale(connection, frame.participantId, async () =>
          acknowledge(connection, frame.participantId, frame.stream, await this.#logs.append(agent, frame)),
        );
      case 'events':
        return dropWhenStale(connection, frame.participantId, async () =>
          acknowledge(connection, frame.participantId, 'events', await this.#events.take(agent, frame)),
        );
      case 'meeting':
        return this.#meetings.take(connection, agent, frame);
      case 'terminal-output':
      case 'terminal-closed':
        return this.#terminals.take(connection, frame);
    }
  }

  /** A malformed frame affects only the machine or the attempt that it is about. */
  async #refuseFrame(
    connection: AgentConnection,
    { type, problem, machine, participant }: MalformedFrame,
  ): Promise<void> {
    const { agent } = connection;
    if (agent === null) return connection.refuse('malformed', 'say hello first');
    if (machine !== null) return this.#refuseInventory(connection, agent, machine, `it is malformed: ${problem}`);
    if (participant === null) return;
    const { participantId, fence } = participant;
    const reason = `agent ${agent} sent a malformed "${type}" frame of this attempt (${problem}); later frames of it are discarded`;
    try {
      await dropWhenStale(connection, participantId, () =>
        this.#reconcile.abandon(agent, participantId, fence, reason),
      );
    } catch (err) {
      // The reaper ends the attempt when its lease expires; the agent must not send the frame again.
      log.error({ err, agent, participant: participantId }, 'attempt-not-ended');
    }
    // Not `revoked`: the agent would deliver the rest of the attempt, starting with the same frame.
    connection.send({ type: 'drop', participantId, code: 'unknown', reason });
  }

  async #inventory(
    connection: AgentConnection,
    agent: string,
    { machine, inventory, checks, checkRuns }: InventoryFrame,
  ): Promise<void> {
    try {
      await this.#fleet.recordInventory(agent, machine, inventory, checks ?? null, checkRuns ?? null);
      connection.inventoryProblems.delete(machine);
    } catch (error) {
      if (!(error instanceof InventoryRefused)) throw error;
      log.warn({ agent, machine, problem: error.message }, 'inventory-refused');
      await this.#refuseInventory(connection, agent, machine, error.message);
    }
  }

  /** The machine gets no work until a valid inventory of it arrives. */
  async #refuseInventory(connection: AgentConnection, agent: string, machine: string, why: string): Promise<void> {
    const problem = `its inventory was refused: ${why}; update the agent or repair the machine, then probe it again`;
    // Only for machines of the agent, so that the map stays bounded.
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
    connection.held = hello.participants;
    this.#byAgent.get(hello.agent)?.supersede();
    this.#byAgent.set(hello.agent, connection);
    const capabilities = hello.capabilities.filter((work) => only === null || work === only);
    await this.#fleet.agentConnected({ ...hello, capabilities }, connection.id, tokenSite !== null);
    connection.recorded = true;
    const { agent, protocol, beat = 0 } = hello;
    const participants = await this.#reconcile.welcome(agent, hello.participants);
    connection.send({ type: 'welcome', protocol, agent, participants, beat, leaseSeconds: LEASE_SECONDS });
    await this.#orders.send(connection, agent);
  }

  async #heartbeat(connection: AgentConnection, agent: string, heartbeat: Heartbeat): Promise<void> {
    connection.held = heartbeat.participants;
    const { spoolBytes, spoolLagSeconds, diskFreeBytes } = heartbeat;
    connection.disk = { spoolBytes, spoolLagSeconds, diskFreeBytes };
    const { participants: held } = heartbeat;
    const machines = heartbeat.machines.map((machine) => {
      const problem = connection.inventoryProblems.get(machine.name);
      return problem === undefined || !machine.reachable ? machine : { ...machine, reachable: false, problem };
    });
    if (!(await this.#fleet.recordHeartbeat(agent, connection.id, machines, held))) return connection.supersede();
    const participants = await this.#reconcile.reconcile(agent, connection.id, held);
    const reservations = await this.#restores.reconcile(agent, heartbeat.reservations);
    // Without work there is nothing whose times are compared.
    const at = held.length === 0 ? {} : { at: await this.#reconcile.noteClock(agent, held, heartbeat.clock) };
    connection.send({
      type: 'renewed',
      beat: heartbeat.beat ?? 0,
      leaseSeconds: LEASE_SECONDS,
      participants,
      ...reservations,
      ...at,
    });
    await this.#orders.send(connection, agent);
  }

  /**
   * Another connection of an agent was recorded. The message may be late, and that connection older than the one here:
   * the agent's row says which one speaks for it.
   */
  #superseded(agent: string, other: string): void {
    const connection = this.#byAgent.get(agent);
    // One that is not recorded yet is newer than all that are.
    if (connection === undefined || connection.id === other || !connection.recorded) return;
    this.#fleet.speaksFor(agent, connection.id).then(
      (speaks) => {
        if (!speaks) connection.supersede();
      },
      // Its next heartbeat asks again.
      (err: unknown) => log.warn({ err, agent }, 'newest-connection-unknown'),
    );
  }

  #onClose(connection: AgentConnection): void {
    this.#all.delete(connection);
    const { agent } = connection;
    if (agent === null) return;
    if (this.#byAgent.get(agent) === connection) this.#byAgent.delete(agent);
    const disconnecting = this.#recordDisconnect(connection, agent).finally(() =>
      this.#disconnecting.delete(disconnecting),
    );
    this.#disconnecting.add(disconnecting);
  }

  /** Frames that were received are handled first. */
  async #recordDisconnect(connection: AgentConnection, agent: string): Promise<void> {
    try {
      await connection.drained();
      await this.#fleet.agentDisconnected(agent, connection.id);
    } catch (err) {
      log.warn({ err, agent }, 'agent-disconnect-not-recorded');
    }
  }
}

/** What a frame is about: when it fails again and again, only that is given up. */
function subjectOf(frame: Exclude<FromAgent, { type: 'hello' | 'heartbeat' }>, agent: string): string {
  if (frame.type === 'inventory') return `machine ${frame.machine} of ${agent}`;
  return 'terminalId' in frame ? frame.terminalId : frame.participantId;
}
