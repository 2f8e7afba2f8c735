import type { Server } from 'node:http';
import { FromBrowser, LIVE_PATH, type LogLine, type LogStream, type ToBrowser } from '@peerlab/contracts';
import { WebSocketServer, type WebSocket } from 'ws';

/** Lines in one frame of a tail, as the controller sends them. */
const LINES_PER_FRAME = 1000;

/** What a page asked to tail. */
export type TailRequest = Omit<Extract<FromBrowser, { type: 'tail' }>, 'type'>;

interface Page {
  topics: Set<string>;
  tails: Set<string>;
}

/** The live interface of the sample farm. Its memory of changes outlives a stop, as Postgres outlives a controller. */
export class SampleLive {
  /** What was tailed, in order. */
  readonly tailed: TailRequest[] = [];
  /** Topics in the order of their changes; a cursor is a place in it. */
  private readonly changes: string[] = [];
  /** Cursors before it are forgotten. */
  private remembered = 0;
  private readonly pages = new Map<WebSocket, Page>();

  /** @param stored the lines of a stream from a number on, at most as many as asked for */
  constructor(private readonly stored: (of: TailRequest, limit: number) => LogLine[]) {}

  serve(server: Server): void {
    new WebSocketServer({ server, path: LIVE_PATH }).on('connection', (socket) => this.attach(socket));
  }

  /** Ends every connection at once. */
  drop(): void {
    for (const socket of this.pages.keys()) socket.terminate();
    this.pages.clear();
  }

  /** Forgets all changes so far: pages that come back have to fetch everything. */
  forget(): void {
    this.changes.push('');
    this.remembered = this.changes.length;
  }

  /** Tells the pages that watch a topic to fetch again. */
  changed(topic: string): void {
    this.changes.push(topic);
    for (const [socket, { topics }] of this.pages) {
      if (topics.has(topic)) send(socket, { type: 'changed', topic, cursor: this.cursor() });
    }
  }

  /** Pushes lines to those who tail the stream. */
  pushed(attemptId: string, stream: LogStream, lines: LogLine[]): void {
    for (const [socket, { tails }] of this.pages) {
      if (tails.has(`${attemptId}/${stream}`)) send(socket, { type: 'log', attemptId, stream, lines });
    }
  }

  private cursor(): string {
    return String(this.changes.length);
  }

  private attach(socket: WebSocket): void {
    const page: Page = { topics: new Set(), tails: new Set() };
    this.pages.set(socket, page);
    socket.on('close', () => this.pages.delete(socket));
    socket.on('message', (data) => {
      const message = FromBrowser.parse(JSON.parse((data as Buffer).toString('utf8')));
      switch (message.type) {
        case 'topics':
          page.topics = new Set(message.topics);
          if (message.since !== undefined) this.resume(socket, page, message.since);
          return;
        case 'sign-in':
          return;
        case 'untail':
          page.tails.delete(`${message.attemptId}/${message.stream}`);
          return;
        case 'tail': {
          const { type: _, ...asked } = message;
          this.tailed.push(asked);
          page.tails.add(`${asked.attemptId}/${asked.stream}`);
          this.replay(socket, asked);
        }
      }
    });
  }

  private resume(socket: WebSocket, { topics }: Page, since: string | null): void {
    const from = since === null ? this.changes.length : Number(since);
    const missed = new Set(this.changes.slice(from));
    const changed = from < this.remembered ? null : [...topics].filter((topic) => missed.has(topic));
    send(socket, { type: 'resumed', cursor: this.cursor(), changed });
  }

  private replay(socket: WebSocket, asked: TailRequest): void {
    for (let { fromSeq } = asked; ; ) {
      const lines = this.stored({ ...asked, fromSeq }, LINES_PER_FRAME);
      const last = lines.at(-1);
      if (last === undefined) return;
      send(socket, { type: 'log', attemptId: asked.attemptId, stream: asked.stream, lines });
      fromSeq = last.seq + 1;
    }
  }
}

function send(socket: WebSocket, message: ToBrowser): void {
  socket.send(JSON.stringify(message));
}
