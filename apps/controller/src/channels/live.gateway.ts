import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { FromBrowser, LIVE_CLOSE, type LiveCursor } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { WebSocketServer } from 'ws';
import { LogService } from '../logs/log.service.js';
import { TokenService } from '../platform/auth/token.service.js';
import { SETTINGS_TOKEN, type Settings } from '../platform/config.js';
import { Bus } from '../platform/database/bus.js';
import { guarded } from '../platform/guarded.js';
import { ProblemError } from '../platform/http/problem.js';
import { ChangeFeed } from './change-feed.js';
import { ConnectionLimit } from './connection-limit.js';
import { LogTails } from './log-tails.js';
import { send, Viewer } from './viewer.js';

const FRAME_MAX_BYTES = 64 * 1024;
const CLOSE_INTERNAL = 1011;
/** Changes within this time are told together, in milliseconds. */
const COALESCE_MS = 100;

/**
 * Open connections of one token or, without one, of one address, and in total. A page has one connection; users behind
 * one address or proxy share the limit.
 */
export const VIEWERS_PER_CALLER = 300;
const VIEWERS_MAX = 5000;
/** How long a connection may stay open without the token that it needs, in milliseconds. */
const SIGN_IN_MS = 10_000;

/** The browsers' channel: tells pages what to fetch again, and streams log lines as they are stored. */
@Injectable()
export class LiveGateway {
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: FRAME_MAX_BYTES, perMessageDeflate: false });
  readonly #viewers = new Set<Viewer>();
  readonly #tails: LogTails;
  readonly #changes: ChangeFeed;
  readonly #tokens: TokenService;
  readonly #publicReads: boolean;
  readonly #connections = new ConnectionLimit(VIEWERS_PER_CALLER, VIEWERS_MAX);
  /** All joined viewers were told what changed up to here. */
  #cursor: LiveCursor | null = null;
  /** Topics that a controller of an earlier version only announced, to be stored for it. */
  #unstored: readonly string[] = [];
  #flush: NodeJS.Timeout | null = null;
  #telling = false;
  #tellAgain = false;
  #closed = false;

  constructor(
    logs: LogService,
    changes: ChangeFeed,
    tokens: TokenService,
    bus: Bus,
    @Inject(SETTINGS_TOKEN) settings: Settings,
  ) {
    this.#tails = new LogTails(logs);
    this.#changes = changes;
    this.#tokens = tokens;
    this.#publicReads = settings.publicReads;
    bus.onMessage((message) => {
      if (message.type === 'changed') this.#onChanged(message.topics, message.noted === true);
      if (message.type === 'log') this.#tails.hint(this.#viewers, message.attemptId, message.stream);
    });
    // Notifications may have been missed while the database was unreachable.
    bus.onResync(() => {
      void this.#tell();
      this.#tails.hintAll(this.#viewers);
    });
  }

  /**
   * Accepts a connection. Where reads need a token, a program sends it as a header and a page in its first frame.
   * Throws ProblemError 401, 403 or 429.
   */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { authorization } = request.headers;
    const address = request.socket.remoteAddress ?? '';
    const token =
      authorization === undefined || this.#publicReads ? null : await this.#identify(authorization, address);
    const end = this.#connections.begin(token ?? this.#tokens.callerOf(authorization, address));
    socket.once('close', end);
    if (socket.destroyed) return end();
    const { cursor: arrivedAt } = await this.#changes.read([]);
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      this.#welcome(new Viewer(webSocket, address, arrivedAt, this.#publicReads || token !== null, token));
    });
  }

  #welcome(viewer: Viewer): void {
    const { socket } = viewer;
    this.#viewers.add(viewer);
    const late = setTimeout(() => {
      if (!viewer.mayRead) socket.close(LIVE_CLOSE.token, 'no token was sent in time');
    }, SIGN_IN_MS);
    const cut = (): void => socket.terminate();
    socket.on(
      'message',
      guarded('live-frame-failed', (data: Buffer) => this.#receive(viewer, data), cut),
    );
    // Each is answered with a pong, so pings count as frames.
    socket.on(
      'ping',
      guarded('live-ping-failed', () => void viewer.admit(), cut),
    );
    socket.on('pong', () => (viewer.alive = true));
    socket.on('error', (err) => log.debug({ err }, 'browser-connection-failed'));
    socket.on('close', () => {
      clearTimeout(late);
      this.#viewers.delete(viewer);
    });
  }

  /** Id of a user's token. Throws ProblemError 401, 403 or 429. */
  async #identify(authorization: string, address: string): Promise<string> {
    const identity = await this.#tokens.identify(authorization, address);
    if (identity === null) throw new ProblemError(401, 'unauthorized', 'the token was refused');
    if (identity.kind === 'user') return identity.id;
    throw new ProblemError(403, 'forbidden', 'this needs a user token; an agent token was sent');
  }

  /** Closes connections whose token was revoked meanwhile. */
  async dropRevoked(): Promise<void> {
    const ids = [...this.#viewers].flatMap(({ token }) => (token === null ? [] : [token]));
    if (ids.length === 0) return;
    const revoked = await this.#tokens.revokedAmong([...new Set(ids)]);
    for (const { socket, token } of this.#viewers) {
      if (token !== null && revoked.has(token)) socket.close(LIVE_CLOSE.token, 'the token was revoked');
    }
  }

  /** Terminates viewers that did not answer the previous ping, and pings the others. */
  dropSilent(): void {
    for (const viewer of this.#viewers) {
      if (!viewer.alive) viewer.socket.terminate();
      viewer.alive = false;
      viewer.socket.ping();
    }
  }

  /** Sends every browser its cursor, whether or not anything changed. */
  beat(): void {
    if (this.#viewers.size > 0) void this.#tell(true);
  }

  /** Open connections. */
  get size(): number {
    return this.#viewers.size;
  }

  close(): void {
    this.#closed = true;
    if (this.#flush !== null) clearTimeout(this.#flush);
    for (const { socket } of this.#viewers) socket.terminate();
    this.#server.close();
  }

  #receive(viewer: Viewer, data: Buffer): void {
    if (!viewer.admit()) return;
    const message = parseFrame(data);
    if (message === null) return send(viewer, { type: 'error', message: 'not a frame of the live channel' });
    if (!viewer.postpone(message)) this.#handle(viewer, message);
  }

  /** Checks the token of a page; later frames wait meanwhile. Never rejects. */
  async #signIn(viewer: Viewer, secret: string): Promise<void> {
    if (viewer.mayRead) return;
    viewer.beginSignIn();
    try {
      viewer.token = await this.#identify(`Bearer ${secret}`, viewer.address);
      viewer.mayRead = true;
      for (const message of viewer.endSignIn()) this.#handle(viewer, message);
    } catch (error) {
      if (error instanceof ProblemError) {
        return viewer.socket.close(error.status === 429 ? LIVE_CLOSE.limit : LIVE_CLOSE.token, error.message);
      }
      log.error({ err: error }, 'live-sign-in-failed');
      viewer.socket.close(CLOSE_INTERNAL, 'internal error');
    }
  }

  #handle(viewer: Viewer, message: FromBrowser): void {
    if (!viewer.may(message)) return;
    switch (message.type) {
      case 'sign-in':
        void this.#signIn(viewer, message.token);
        return;
      case 'topics':
        viewer.topics = new Set(message.topics);
        // Later frames without a cursor only replace the topics.
        if (message.since === undefined && (viewer.joined || viewer.joining !== null)) return;
        viewer.joining = { since: message.since ?? viewer.arrivedAt };
        viewer.joined = false;
        void this.#tell();
        return;
      case 'untail':
        return this.#tails.stop(viewer, message);
      case 'tail':
        this.#tails.start(viewer, message);
    }
  }

  /** Tells viewers of a change soon. Unstored changes are stored even if no one watches: a browser may reconnect and ask. */
  #onChanged(topics: readonly string[], isStored: boolean): void {
    if (!isStored) this.#unstored = [...this.#unstored, ...topics];
    const isWatched = [...this.#viewers].some((viewer) => topics.some((topic) => viewer.topics.has(topic)));
    if (!isWatched && isStored) return;
    this.#flush ??= setTimeout(() => {
      this.#flush = null;
      void this.#tell();
    }, COALESCE_MS);
  }

  /** Reads what changed and tells it, one read at a time. Never rejects: the next beat tries again. */
  async #tell(toAll = false): Promise<void> {
    this.#tellAgain = true;
    if (this.#telling) return;
    this.#telling = true;
    try {
      while (this.#tellAgain && !this.#closed) {
        this.#tellAgain = false;
        await this.#tellOnce(toAll);
      }
    } catch (error) {
      if (!this.#closed) log.warn({ err: error }, 'changes-not-told');
    } finally {
      this.#telling = false;
    }
  }

  /** One snapshot for all viewers, so that one that has just joined is not told twice. */
  async #tellOnce(toAll: boolean): Promise<void> {
    if (this.#unstored.length > 0) {
      const topics = this.#unstored;
      await this.#changes.note([...new Set(topics)]);
      this.#unstored = this.#unstored.slice(topics.length);
    }
    const joined = [...this.#viewers].filter((viewer) => viewer.joined);
    const joining = [...this.#viewers].flatMap((viewer) =>
      viewer.joining === null ? [] : [{ viewer, asked: viewer.joining }],
    );
    if (joined.length + joining.length === 0) return;
    const { cursor, changed } = await this.#changes.read([this.#cursor, ...joining.map(({ asked }) => asked.since)]);
    const [news = null, ...missed] = changed;
    this.#cursor = cursor;
    for (const viewer of joined) {
      const topics = [...viewer.topics].filter((topic) => news?.includes(topic) ?? true);
      topics.forEach((topic, index) => {
        send(viewer, { type: 'changed', topic, ...(index === topics.length - 1 && { cursor }) });
      });
      if (topics.length === 0 && toAll) send(viewer, { type: 'cursor', cursor });
    }
    for (const [index, { viewer, asked }] of joining.entries()) {
      if (viewer.joining === asked) viewer.joining = null;
      viewer.joined = true;
      const topics = missed[index] ?? null;
      send(viewer, {
        type: 'resumed',
        cursor,
        changed: topics === null ? null : [...viewer.topics].filter((topic) => topics.includes(topic)),
      });
    }
  }
}

function parseFrame(data: Buffer): FromBrowser | null {
  try {
    const parsed = FromBrowser.safeParse(JSON.parse(data.toString()));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
