import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { FromBrowser, LIVE_CLOSE, type LiveCursor, type LogStream, type ToBrowser } from '@peerlab/contracts';
import { WebSocketServer } from 'ws';
import { LogService } from '../logs/log.service.js';
import { TokenService } from '../platform/auth/token.service.js';
import { SETTINGS_TOKEN, type Settings } from '../platform/config.js';
import { Bus } from '../platform/database/bus.js';
import { guarded } from '../platform/guarded.js';
import { ProblemError } from '../platform/http/problem.js';
import { errorFields, writeLog } from '../platform/logging.js';
import { ChangeFeed } from './change-feed.js';
import { ConnectionLimit } from './connection-limit.js';
import { Viewer, type Tail } from './viewer.js';

const FRAME_MAX_BYTES = 64 * 1024;
const LINES_PER_FRAME = 1000;
const CLOSE_INTERNAL = 1011;
const TAILS_MAX = 20;
/** Changes within this time reach the browser as one. */
const COALESCE_MS = 100;

/**
 * Open connections of one token or, without one, of one address, and of all. A page has one; people behind one
 * address or proxy share it.
 */
export const VIEWERS_PER_CALLER = 300;
const VIEWERS_MAX = 5000;
/** How long a connection may stay without the token that it needs, in milliseconds. */
const SIGN_IN_MS = 10_000;

/** The browsers' channel: which pages to fetch again, and log lines as they are stored. */
@Injectable()
export class LiveGateway {
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: FRAME_MAX_BYTES, perMessageDeflate: false });
  readonly #viewers = new Set<Viewer>();
  readonly #logs: LogService;
  readonly #changes: ChangeFeed;
  readonly #tokens: TokenService;
  readonly #publicReads: boolean;
  readonly #connections = new ConnectionLimit(VIEWERS_PER_CALLER, VIEWERS_MAX);
  /** All that joined were told what changed up to here. */
  #cursor: LiveCursor | null = null;
  /** Topics that a controller of the version before announced, to be noted for it. */
  #unnoted: readonly string[] = [];
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
    this.#logs = logs;
    this.#changes = changes;
    this.#tokens = tokens;
    this.#publicReads = settings.publicReads;
    bus.onMessage((message) => {
      if (message.type === 'changed') this.#noteChanges(message.topics, message.noted === true);
      if (message.type === 'log') this.#hint(tailKey(message.attemptId, message.stream));
    });
    // Hints may have been missed while the database was away.
    bus.onResync(() => {
      void this.#tell();
      for (const viewer of this.#viewers) {
        for (const tail of viewer.tails.values()) tail.hinted = true;
        this.#pump(viewer);
      }
    });
  }

  /**
   * Accepts a connection. Where reads need a token it has to come as header of a program, or in the first frame
   * of a page. Throws ProblemError 401, 403 or 429.
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
      if (!viewer.mayRead) socket.close(LIVE_CLOSE.token, 'no token came in time');
    }, SIGN_IN_MS);
    const cut = (): void => socket.terminate();
    socket.on(
      'message',
      guarded('live-frame-failed', (data: Buffer) => this.#receive(viewer, data), cut),
    );
    // Each is answered with a pong: they count like frames.
    socket.on(
      'ping',
      guarded('live-ping-failed', () => void viewer.admit(), cut),
    );
    socket.on('pong', () => (viewer.alive = true));
    socket.on('error', (error) => writeLog('debug', 'a browser connection failed', errorFields(error)));
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

  /** Ends the connections of those whose token was revoked since. */
  async dropRevoked(): Promise<void> {
    const ids = [...this.#viewers].flatMap(({ token }) => (token === null ? [] : [token]));
    if (ids.length === 0) return;
    const revoked = await this.#tokens.revokedAmong([...new Set(ids)]);
    for (const { socket, token } of this.#viewers) {
      if (token !== null && revoked.has(token)) socket.close(LIVE_CLOSE.token, 'the token was revoked');
    }
  }

  /** Ends viewers that did not answer the previous ping, and pings the others. */
  dropSilent(): void {
    for (const viewer of this.#viewers) {
      if (!viewer.alive) viewer.socket.terminate();
      viewer.alive = false;
      viewer.socket.ping();
    }
  }

  /** Tells every browser how far it is, whether or not anything changed. */
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

  /** Looks the token of a page up; the frames behind it wait. Never rejects. */
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
      writeLog('error', 'live-sign-in-failed', errorFields(error));
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
        // Later frames that bring no cursor only replace the topics.
        if (message.since === undefined && (viewer.joined || viewer.joining !== null)) return;
        viewer.joining = { since: message.since ?? viewer.arrivedAt };
        viewer.joined = false;
        void this.#tell();
        return;
      case 'untail':
        viewer.tails.delete(tailKey(message.attemptId, message.stream));
        return;
      case 'tail': {
        const key = tailKey(message.attemptId, message.stream);
        if (!viewer.tails.has(key) && viewer.tails.size >= TAILS_MAX) {
          return send(viewer, { type: 'error', message: `no more than ${TAILS_MAX} streams at a time` });
        }
        const { attemptId, stream, fromSeq: next } = message;
        viewer.tails.set(key, { attemptId, stream, next, hinted: true });
        this.#pump(viewer);
      }
    }
  }

  /** What nobody noted is noted even if nobody watches it: a browser may come back and ask. */
  #noteChanges(topics: readonly string[], noted: boolean): void {
    if (!noted) this.#unnoted = [...this.#unnoted, ...topics];
    const isWatched = [...this.#viewers].some((viewer) => topics.some((topic) => viewer.topics.has(topic)));
    if (!isWatched && noted) return;
    this.#flush ??= setTimeout(() => {
      this.#flush = null;
      void this.#tell();
    }, COALESCE_MS);
  }

  /** Reads what changed and tells it, one reading at a time. Never rejects: the next beat tries again. */
  async #tell(everybody = false): Promise<void> {
    this.#tellAgain = true;
    if (this.#telling) return;
    this.#telling = true;
    try {
      while (this.#tellAgain && !this.#closed) {
        this.#tellAgain = false;
        await this.#tellOnce(everybody);
      }
    } catch (error) {
      if (!this.#closed) writeLog('warn', 'browsers could not be told what changed', errorFields(error));
    } finally {
      this.#telling = false;
    }
  }

  /** One snapshot for all, so that nobody who just came is told twice. */
  async #tellOnce(everybody: boolean): Promise<void> {
    if (this.#unnoted.length > 0) {
      const topics = this.#unnoted;
      await this.#changes.note([...new Set(topics)]);
      this.#unnoted = this.#unnoted.slice(topics.length);
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
      if (topics.length === 0 && everybody) send(viewer, { type: 'cursor', cursor });
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

  #hint(key: string): void {
    for (const viewer of this.#viewers) {
      const tail = viewer.tails.get(key);
      if (tail === undefined) continue;
      tail.hinted = true;
      this.#pump(viewer);
    }
  }

  /** One reading at a time for each browser, however often it asks. */
  #pump(viewer: Viewer): void {
    if (viewer.pumping) return;
    viewer.pumping = true;
    this.#drain(viewer).catch((error: unknown) => {
      writeLog('warn', 'a log tail stopped', errorFields(error));
      viewer.socket.close(CLOSE_INTERNAL, 'internal error');
    });
  }

  /** Sends what is stored until nothing is left, a page of each tail in turn; a slow browser slows only its own reading. */
  async #drain(viewer: Viewer): Promise<void> {
    try {
      for (let hinted = hintedTails(viewer); hinted.length > 0; hinted = hintedTails(viewer)) {
        for (const tail of hinted) await this.#sendPage(viewer, tail);
      }
    } finally {
      // In the same step as the last look at the hints: none falls in between.
      viewer.pumping = false;
    }
  }

  async #sendPage(viewer: Viewer, tail: Tail): Promise<void> {
    const { attemptId, stream } = tail;
    tail.hinted = false;
    const lines = await this.#logs.lines(attemptId, stream, tail.next, tail.next + LINES_PER_FRAME);
    // Asked for from elsewhere meanwhile, or no more.
    if (lines.length === 0 || viewer.tails.get(tailKey(attemptId, stream)) !== tail || !viewer.isOpen) return;
    tail.next += lines.length;
    if (lines.length === LINES_PER_FRAME) tail.hinted = true;
    await sendAll(viewer, { type: 'log', attemptId, stream, lines });
  }
}

const hintedTails = (viewer: Viewer): Tail[] =>
  viewer.isOpen ? [...viewer.tails.values()].filter(({ hinted }) => hinted) : [];

const tailKey = (attemptId: string, stream: LogStream): string => `${attemptId} ${stream}`;

function parseFrame(data: Buffer): FromBrowser | null {
  try {
    const parsed = FromBrowser.safeParse(JSON.parse(data.toString()));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

function send(viewer: Viewer, message: ToBrowser): void {
  if (viewer.isOpen) viewer.socket.send(JSON.stringify(message));
}

/** Resolves when the frame has left this process. */
function sendAll(viewer: Viewer, message: ToBrowser): Promise<void> {
  return new Promise((done, fail) => {
    viewer.socket.send(JSON.stringify(message), (error) => (error == null ? done() : fail(error)));
  });
}
