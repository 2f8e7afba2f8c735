import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { FromBrowser, type LiveCursor, type LogStream, type ToBrowser } from '@peerlab/contracts';
import { WebSocketServer, type WebSocket } from 'ws';
import { LogService } from '../logs/log.service.js';
import { Bus } from '../platform/database/bus.js';
import { errorFields, writeLog } from '../platform/logging.js';
import { ChangeFeed } from './change-feed.js';

const FRAME_MAX_BYTES = 64 * 1024;
const LINES_PER_FRAME = 1000;
const TAILS_MAX = 20;
/** Changes within this time reach the browser as one. */
const COALESCE_MS = 100;

interface Tail {
  attemptId: string;
  stream: LogStream;
  next: number;
  /** More may have been stored since it was last read. */
  hinted: boolean;
}

interface Viewer {
  socket: WebSocket;
  topics: ReadonlySet<string>;
  tails: Map<string, Tail>;
  /** Its tails are being read, one page after the other. */
  pumping: boolean;
  alive: boolean;
  /** When its connection began: what it fetches on its own is newer. */
  arrivedAt: LiveCursor;
  /** It came and is not answered yet: where it wants to go on. */
  joining: { since: LiveCursor } | null;
  /** It was answered: changes are told from here on. */
  joined: boolean;
}

/** The browsers' channel: which pages to fetch again, and log lines as they are stored. */
@Injectable()
export class LiveGateway {
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: FRAME_MAX_BYTES, perMessageDeflate: false });
  readonly #viewers = new Set<Viewer>();
  readonly #logs: LogService;
  readonly #changes: ChangeFeed;
  /** All that joined were told what changed up to here. */
  #cursor: LiveCursor | null = null;
  /** Topics that a controller of the version before announced, to be noted for it. */
  #unnoted: readonly string[] = [];
  #flush: NodeJS.Timeout | null = null;
  #telling = false;
  #tellAgain = false;
  #closed = false;

  constructor(logs: LogService, changes: ChangeFeed, bus: Bus) {
    this.#logs = logs;
    this.#changes = changes;
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

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { cursor: arrivedAt } = await this.#changes.read([]);
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const viewer: Viewer = {
        socket: webSocket,
        topics: new Set(),
        tails: new Map(),
        pumping: false,
        alive: true,
        arrivedAt,
        joining: null,
        joined: false,
      };
      this.#viewers.add(viewer);
      webSocket.on('message', (data: Buffer) => this.#handle(viewer, data));
      webSocket.on('pong', () => (viewer.alive = true));
      webSocket.on('error', (error) => writeLog('debug', 'a browser connection failed', errorFields(error)));
      webSocket.on('close', () => this.#viewers.delete(viewer));
    });
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

  close(): void {
    this.#closed = true;
    if (this.#flush !== null) clearTimeout(this.#flush);
    for (const { socket } of this.#viewers) socket.terminate();
    this.#server.close();
  }

  #handle(viewer: Viewer, data: Buffer): void {
    // Who asks and asks and reads no answer would fill this process with answers.
    if (viewer.socket.bufferedAmount > UNREAD_MAX_BYTES) return viewer.socket.terminate();
    const message = parseFrame(data);
    if (message === null) return send(viewer, { type: 'error', message: 'not a frame of the live channel' });
    switch (message.type) {
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
      viewer.socket.close(1011, 'internal error');
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
    if (lines.length === 0 || viewer.tails.get(tailKey(attemptId, stream)) !== tail || !isOpen(viewer)) return;
    tail.next += lines.length;
    if (lines.length === LINES_PER_FRAME) tail.hinted = true;
    await sendAll(viewer, { type: 'log', attemptId, stream, lines });
  }
}

const hintedTails = (viewer: Viewer): Tail[] =>
  isOpen(viewer) ? [...viewer.tails.values()].filter(({ hinted }) => hinted) : [];

/** Answers that a browser has not read; a slow one that tails a log has a few frames of it at most. */
const UNREAD_MAX_BYTES = 32 * 1024 * 1024;

const tailKey = (attemptId: string, stream: LogStream): string => `${attemptId} ${stream}`;
const isOpen = ({ socket }: Viewer): boolean => socket.readyState === socket.OPEN;

function parseFrame(data: Buffer): FromBrowser | null {
  try {
    const parsed = FromBrowser.safeParse(JSON.parse(data.toString()));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

function send(viewer: Viewer, message: ToBrowser): void {
  if (isOpen(viewer)) viewer.socket.send(JSON.stringify(message));
}

/** Resolves when the frame has left this process. */
function sendAll(viewer: Viewer, message: ToBrowser): Promise<void> {
  return new Promise((done, fail) => {
    viewer.socket.send(JSON.stringify(message), (error) => (error == null ? done() : fail(error)));
  });
}
