import { randomUUID } from 'node:crypto';
import { AGENT_PROTOCOL, FRAME_MAX_BYTES, FromAgent, type HeldAttempt, type ToAgent } from '@peerlab/contracts';
import type { WebSocket } from 'ws';
import { guarded } from '../platform/guarded.js';
import { errorFields, writeLog } from '../platform/logging.js';
import { inVersion1 } from './agent-v1.js';

/** Frames, and bytes of them, that may wait to be processed before the socket is paused. */
const QUEUE_MAX = 32;
const QUEUE_MAX_BYTES = 4 * FRAME_MAX_BYTES;
/** Unread answers of an agent that keeps sending; a few thousand acknowledgements have a megabyte. */
const UNREAD_MAX_BYTES = 32 * 1024 * 1024;
/** Bulk that nobody's lease depends on; the other frames overtake it. */
const EVIDENCE: ReadonlySet<FromAgent['type']> = new Set(['log', 'events']);
/** Close codes of our own range: the agent reconnects after the second, not after the first. */
const CLOSE_REFUSED = 4000;
const CLOSE_SUPERSEDED = 4001;
const CLOSE_INTERNAL = 1011;

type Handler = (frame: FromAgent) => Promise<void>;

/**
 * One socket of an agent: frames are parsed, then handled one after the other in two lanes. A heartbeat
 * does not wait for the log before it, or a chatty kernel would cost its agent the lease; evidence does
 * wait for what was said before it.
 */
export class AgentConnection {
  readonly id = randomUUID();
  readonly #socket: WebSocket;
  /** Name that the token stands for. */
  readonly tokenName: string;
  /** Known after hello. */
  agent: string | null = null;
  /** What the agent speaks; known after hello. */
  protocol = AGENT_PROTOCOL;
  held: readonly HeldAttempt[] = [];
  lastFrameAt = performance.now();
  /** When an order was last sent, by kind and attempt. */
  readonly sentAt = new Map<string, number>();
  /** Work is being read for it; `woken` = there may be more since that began. */
  giving = false;
  woken = false;
  /** Resolve when the last frame of each lane has been handled. */
  #reports: Promise<void> = Promise.resolve();
  #evidence: Promise<void> = Promise.resolve();
  #waiting = 0;
  #waitingBytes = 0;

  constructor(socket: WebSocket, tokenName: string, handle: Handler) {
    this.#socket = socket;
    this.tokenName = tokenName;
    socket.on(
      'message',
      guarded(
        'agent-frame-failed',
        (data: Buffer) => this.#enqueue(data, handle),
        () => socket.terminate(),
      ),
    );
    socket.on('ping', () => this.#noteLife());
    socket.on('error', (error) =>
      writeLog('warn', 'an agent connection failed', { agent: this.tokenName, ...errorFields(error) }),
    );
  }

  /** Sends a message in the version that the agent speaks. */
  send(message: ToAgent): void {
    const spoken = this.protocol === AGENT_PROTOCOL ? message : inVersion1(message);
    if (spoken !== null && this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(spoken));
  }

  refuse(code: Extract<ToAgent, { type: 'refused' }>['code'], message: string): void {
    this.send({ type: 'refused', code, message });
    this.#socket.close(CLOSE_REFUSED, code);
  }

  supersede(): void {
    this.#socket.close(CLOSE_SUPERSEDED, 'a newer connection of this agent took over');
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** Terminates and resolves when everybody has heard of it. */
  terminated(): Promise<void> {
    return new Promise((done) => {
      this.#socket.once('close', () => done());
      this.#socket.terminate();
    });
  }

  /** Resolves when all frames received so far have been handled. */
  async drained(): Promise<void> {
    await Promise.all([this.#reports, this.#evidence]);
  }

  /** Ends the connection of one that does not read: its answers would fill this process. */
  #noteLife(): void {
    this.lastFrameAt = performance.now();
    if (this.#socket.bufferedAmount > UNREAD_MAX_BYTES) this.#socket.terminate();
  }

  #enqueue(data: Buffer, handle: Handler): void {
    this.#noteLife();
    this.#waiting += 1;
    this.#waitingBytes += data.length;
    if (this.#isFull()) this.#socket.pause();
    // Parsed at once, while the database is busy with the frames before it; handled in its turn.
    const parsed = parseFrame(data);
    const work = async (): Promise<void> => {
      try {
        if (this.#socket.readyState === this.#socket.OPEN) await this.#handle(parsed, handle);
      } catch (error) {
        // Nothing was acknowledged, so the agent sends it again on its next connection.
        writeLog('error', 'a frame of an agent could not be handled', { agent: this.tokenName, ...errorFields(error) });
        this.#socket.close(CLOSE_INTERNAL, 'internal error');
      } finally {
        this.#waiting -= 1;
        this.#waitingBytes -= data.length;
        if (!this.#isFull()) this.#socket.resume();
      }
    };
    if ('frame' in parsed && EVIDENCE.has(parsed.frame.type)) {
      this.#evidence = Promise.all([this.#reports, this.#evidence]).then(work);
    } else {
      this.#reports = this.#reports.then(work);
    }
  }

  #isFull(): boolean {
    return this.#waiting >= QUEUE_MAX || this.#waitingBytes >= QUEUE_MAX_BYTES;
  }

  async #handle(parsed: Parsed, handle: Handler): Promise<void> {
    if ('problem' in parsed) return this.refuse('malformed', parsed.problem);
    await handle(parsed.frame);
  }
}

type Parsed = { frame: FromAgent } | { problem: string };

/** A frame, or what is wrong with it. Never throws. */
function parseFrame(data: Buffer): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(data.toString());
  } catch {
    return { problem: 'the frame is not JSON' };
  }
  const parsed = FromAgent.safeParse(value);
  if (parsed.success) return { frame: parsed.data };
  const issue = parsed.error.issues[0];
  return { problem: `${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'not a known frame'}` };
}
