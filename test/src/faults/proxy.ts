import { connect, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { FrameSplitter } from './frame-splitter.js';

/** Frames of an agent that is held back: more would be a flood and no delay. */
const HELD_MAX_BYTES = 8 * 1024 * 1024;

interface Weather {
  /** Nothing gets through any more; connections stay open. */
  blackHole: boolean;
  /** Real milliseconds that every piece spends under way. */
  delayMs: number;
  /** Every WebSocket frame arrives twice. */
  duplicate: boolean;
  /** What the agent sends waits here, and is delivered after the agent's connection broke. */
  holdBack: boolean;
}

interface Pair {
  client: Socket;
  upstream: Socket;
  /** Was alive when a black hole opened: it stays half open until its ends notice. */
  dead: boolean;
  held: Buffer[];
  heldBytes: number;
}

/** Stands between an agent and the controllers, and is the network that fails them. */
export class FaultyProxy {
  readonly weather: Weather = { blackHole: false, delayMs: 0, duplicate: false, holdBack: false };
  /** Frames that arrived twice. */
  duplicated = 0;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #upstream: () => number | null;

  private constructor(upstream: () => number | null) {
    this.#upstream = upstream;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** `upstream` gives the loopback port for a new connection, null when no controller is there. */
  static async start(upstream: () => number | null): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(upstream);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Bytes that wait to be delivered late. */
  get heldBytes(): number {
    return [...this.#pairs].reduce((sum, pair) => sum + pair.heldBytes, 0);
  }

  /** From now on nothing gets through, and connections of now stay dead when it is over. */
  openBlackHole(): void {
    this.weather.blackHole = true;
    for (const pair of this.#pairs) pair.dead = true;
  }

  /** Resets every connection. */
  cut(): void {
    for (const { client, upstream } of this.#pairs) {
      client.resetAndDestroy();
      upstream.resetAndDestroy();
    }
  }

  /** The agent loses its connection; what was held back reaches the controller only now. */
  async cutAndDeliverLate(lateMs: number): Promise<void> {
    this.weather.holdBack = false;
    const late = [...this.#pairs].filter(({ dead }) => !dead);
    for (const pair of late) pair.client.destroy();
    await new Promise((resolve) => setTimeout(resolve, lateMs));
    for (const { upstream, held } of late) {
      for (const piece of held) if (upstream.writable) upstream.write(piece);
      upstream.end();
    }
  }

  async stop(): Promise<void> {
    for (const { client, upstream } of this.#pairs) {
      client.destroy();
      upstream.destroy();
    }
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(client: Socket): void {
    client.on('error', () => undefined);
    const port = this.#upstream();
    if (port === null) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(port, '127.0.0.1');
    upstream.on('error', () => undefined);
    const pair: Pair = { client, upstream, dead: this.weather.blackHole, held: [], heldBytes: 0 };
    this.#pairs.add(pair);
    this.#carry(pair, client, upstream, true);
    this.#carry(pair, upstream, client, false);
  }

  #carry(pair: Pair, from: Socket, to: Socket, fromAgent: boolean): void {
    const splitter = new FrameSplitter();
    // In order whatever happens to the delay: nothing overtakes on one connection.
    const waiting: { piece: Buffer; dueMs: number }[] = [];
    let timer: NodeJS.Timeout | null = null;
    const drain = (): void => {
      timer = null;
      for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
        const early = next.dueMs - Date.now();
        if (early > 0) {
          timer = setTimeout(drain, early);
          return;
        }
        waiting.shift();
        if (!pair.dead && to.writable) to.write(next.piece);
      }
      if (ended) to.end();
    };
    let ended = false;
    const deliver = (piece: Buffer): void => {
      if (pair.dead) return;
      if (fromAgent && (this.weather.holdBack || pair.held.length > 0) && pair.heldBytes < HELD_MAX_BYTES) {
        pair.held.push(piece);
        pair.heldBytes += piece.length;
        return;
      }
      waiting.push({ piece, dueMs: Date.now() + this.weather.delayMs });
      if (timer === null) drain();
    };
    from.on('data', (chunk: Buffer) => {
      for (const { bytes, isData } of splitter.push(chunk)) {
        deliver(bytes);
        if (!isData || !this.weather.duplicate || pair.dead) continue;
        this.duplicated += 1;
        deliver(bytes);
      }
    });
    from.on('close', () => {
      // Through a black hole the other end does not hear of it either.
      if (pair.dead) return;
      if (fromAgent && pair.held.length > 0) return;
      ended = true;
      if (timer === null) to.end();
      if (from.destroyed && to.destroyed) this.#pairs.delete(pair);
    });
    from.on('close', () => {
      if (pair.client.destroyed && pair.upstream.destroyed) this.#pairs.delete(pair);
    });
  }
}
