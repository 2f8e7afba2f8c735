import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { FromTerminalUser, LIVE_CLOSE } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { TokenService, type Identity } from '../platform/auth/token.service.js';
import { Bus } from '../platform/database/bus.js';
import { Sql } from '../platform/database/sql.js';
import { guarded } from '../platform/guarded.js';
import { ProblemError } from '../platform/http/problem.js';
import { TerminalStore } from '../reservations/terminal-store.js';
import { ConnectionLimit } from './connection-limit.js';
import { TerminalUser, tellUser } from './terminal-user.js';

const FRAME_MAX_BYTES = 16 * 1024;
const TERMINALS_PER_CALLER = 16;
const TERMINALS_MAX = 1000;
/** How long a connection may stay without its first frame, in milliseconds. */
const OPEN_MS = 10_000;
const CLOSE_NORMAL = 1000;
const CLOSE_INTERNAL = 1011;

/** A connection of a person, from its upgrade on. */
interface Visitor {
  socket: WebSocket;
  address: string;
  /** Known by the header, or by the first frame. */
  identity: Identity | null;
  /** Null before it is open. */
  user: TerminalUser | null;
  opening: boolean;
  /** Counts it among the connections of its address, later of its token. */
  count: { end: () => void };
}

/** The people's side of terminals: one WebSocket for each. Every user may see a console; who may have a shell, the store decides. */
@Injectable()
export class TerminalGateway {
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: FRAME_MAX_BYTES, perMessageDeflate: false });
  readonly #visitors = new Set<Visitor>();
  readonly #connections = new ConnectionLimit(TERMINALS_PER_CALLER, TERMINALS_MAX);
  readonly #tokens: TokenService;
  readonly #sql: Sql;
  readonly #store: TerminalStore;

  constructor(tokens: TokenService, sql: Sql, store: TerminalStore, bus: Bus) {
    this.#tokens = tokens;
    this.#sql = sql;
    this.#store = store;
    bus.onMessage((message) => {
      if (message.type !== 'terminal-output') return;
      for (const { user } of this.#visitors) if (user?.id === message.terminalId) this.#show(user);
    });
    bus.onResync(() => this.#showAll());
  }

  /** Accepts a connection. A program sends its token as a header, a page in its first frame. Throws ProblemError 401, 403 or 429. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { authorization } = request.headers;
    const address = request.socket.remoteAddress ?? '';
    const identity = authorization === undefined ? null : await this.#identify(authorization, address);
    const count = { end: this.#connections.begin(identity?.id ?? this.#tokens.callerOf(undefined, address)) };
    socket.once('close', () => count.end());
    if (socket.destroyed) return count.end();
    this.#server.handleUpgrade(request, socket, head, (webSocket) =>
      this.#welcome({ socket: webSocket, address, identity, user: null, opening: false, count }),
    );
  }

  #welcome(visitor: Visitor): void {
    const { socket } = visitor;
    this.#visitors.add(visitor);
    const late = setTimeout(() => socket.close(LIVE_CLOSE.token, 'nothing was asked for in time'), OPEN_MS);
    const cut = (): void => socket.terminate();
    socket.on(
      'message',
      guarded(
        'terminal-frame-failed',
        (data: RawData, isBinary: boolean) => {
          if (!isBinary) clearTimeout(late);
          this.#receive(visitor, data, isBinary);
        },
        cut,
      ),
    );
    socket.on('error', (err) => log.debug({ err }, 'terminal-connection-failed'));
    socket.on('close', () => {
      clearTimeout(late);
      this.#visitors.delete(visitor);
      if (visitor.user !== null) this.#leave(visitor.user);
    });
  }

  #leave({ id }: TerminalUser): void {
    void this.#end(id, 'its user left');
  }

  /** Never rejects: else the pass closes it, as nobody says any more that its user is there. */
  #end(id: string, why: string): Promise<void> {
    return this.#store.close(id, why).catch((err: unknown) => log.warn({ err, terminal: id }, 'terminal-not-closed'));
  }

  #receive(visitor: Visitor, data: RawData, isBinary: boolean): void {
    const { socket, user } = visitor;
    if (isBinary) {
      if (user !== null) this.#do(visitor, user.type(bytesOf(data)));
      return;
    }
    const frame = parseFrame(data);
    if (frame === null) return socket.close(CLOSE_NORMAL, 'not a frame of the terminal channel');
    if (frame.type === 'resize') {
      if (user !== null) this.#do(visitor, user.resize(frame));
      return;
    }
    if (frame.type === 'drawn') return user?.drawn(frame.bytes);
    if (visitor.opening) return;
    visitor.opening = true;
    this.#do(visitor, this.#open(visitor, frame));
  }

  async #open(
    visitor: Visitor,
    { token, paced, ...request }: Extract<FromTerminalUser, { type: 'open' }>,
  ): Promise<void> {
    const { socket, address } = visitor;
    try {
      if (visitor.identity === null) {
        visitor.identity = await this.#identify(`Bearer ${token ?? ''}`, address);
        if (socket.readyState !== socket.OPEN) return;
        // Everybody behind one proxy has its address.
        const end = this.#connections.begin(visitor.identity.id);
        visitor.count.end();
        visitor.count.end = end;
      }
      const { name: by } = visitor.identity;
      const terminal = await this.#store.open(by, request);
      const user = new TerminalUser(terminal, paced === true, socket, this.#sql, this.#store);
      log.info({ by, machine: request.machine, kind: request.kind, terminal: terminal.id }, 'terminal-asked');
      // The person may have gone meanwhile.
      if (socket.readyState !== socket.OPEN) return this.#leave(user);
      visitor.user = user;
      tellUser(socket, { type: 'opened', terminalId: terminal.id });
      await user.show();
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      const reason = [error.message, error.detail].filter(Boolean).join('; ');
      tellUser(socket, { type: 'closed', reason, code: error.code });
      socket.close(error.status === 401 || error.status === 403 ? LIVE_CLOSE.token : CLOSE_NORMAL);
    }
  }

  #do({ socket }: Visitor, work: Promise<void>): void {
    work.catch((err: unknown) => {
      log.error({ err }, 'terminal-failed');
      socket.close(CLOSE_INTERNAL, 'internal error');
    });
  }

  /** A user's token. Throws ProblemError 401, 403 or 429. */
  async #identify(authorization: string, address: string): Promise<Identity> {
    const identity = await this.#tokens.identify(authorization, address);
    if (identity === null) throw new ProblemError(401, 'unauthorized', 'the token was refused');
    if (identity.kind !== 'user')
      throw new ProblemError(403, 'forbidden', 'this needs a user token; an agent token was sent');
    return identity;
  }

  #show(user: TerminalUser): void {
    user.show().catch((err: unknown) => log.warn({ err, terminal: user.id }, 'terminal-not-shown'));
  }

  #showAll(): void {
    for (const { user } of this.#visitors) if (user !== null) this.#show(user);
  }

  /** What hints may have lost is said again; people that are there are noted, and those whose token was revoked are cut off. */
  async beat(): Promise<void> {
    const users = [...this.#visitors].flatMap(({ user }) => (user === null ? [] : [user]));
    if (users.length === 0) return;
    for (const user of users) user.beat();
    await this.#store.seen(users.map(({ id }) => id));
    const tokens = [...this.#visitors].flatMap(({ identity }) => identity?.id ?? []);
    const revoked = await this.#tokens.revokedAmong([...new Set(tokens)]);
    for (const { socket, identity } of this.#visitors) {
      if (identity !== null && revoked.has(identity.id)) socket.close(LIVE_CLOSE.token, 'the token was revoked');
    }
    for (const user of users) await user.acknowledge();
    this.#showAll();
  }

  /** Cuts off everybody. Their agents are told at once, where they are connected to another controller. Never rejects. */
  async close(): Promise<void> {
    const left = [...this.#visitors].flatMap((visitor) => {
      const { user, socket } = visitor;
      visitor.user = null;
      socket.terminate();
      return user ?? [];
    });
    this.#server.close();
    await Promise.all(left.map(({ id }) => this.#end(id, 'the controller of its user stopped')));
  }
}

const bytesOf = (data: RawData): Buffer =>
  Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? Buffer.from(data) : data;

function parseFrame(data: RawData): FromTerminalUser | null {
  try {
    const parsed = FromTerminalUser.safeParse(JSON.parse(bytesOf(data).toString()));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
