import { randomUUID } from 'node:crypto';
import {
  AGENT_PROTOCOL,
  FRAME_MAX_BYTES,
  type AgentDisk,
  type FromAgent,
  type HeldAttempt,
  type ToAgent,
} from '@peerlab/contracts';
import type { WebSocket } from 'ws';
import { guarded } from '../platform/guarded.js';
import { errorFields, writeLog } from '../platform/logging.js';
import { asMalformed, readAgentFrame, type AgentFrame, type MalformedFrame } from './agent-frame.js';
import { FrameRefused } from './frame-failures.js';
import { outgoingMessage } from './agent-message.js';

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

/**
 * Malformed frames within a minute beyond which the connection ends. An agent sends the inventories of all its
 * machines (2000 at most) when it connects: that each of them is malformed must not cost it the connection.
 */
export const MALFORMED_PER_MINUTE = 2500;
const MINUTE_MS = 60_000;

/** What happens with the frames of a connection. */
export interface FrameHandlers {
  /** Throws FrameRefused when a frame cannot be handled, now or later. */
  frame: (frame: FromAgent) => Promise<void>;
  /** A frame that cannot be read or stored. It is handled in its turn, and is lost otherwise. */
  malformed: (frame: MalformedFrame) => Promise<void>;
}

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
  /** As the newest heartbeat has it. */
  disk: AgentDisk = {};
  lastFrameAt = performance.now();
  /** When an order was last sent, by kind and attempt. */
  readonly sentAt = new Map<string, number>();
  /** Why the newest inventory of a machine was refused, by machine: reports of the agent do not say so. */
  readonly inventoryProblems = new Map<string, string>();
  /** Work is being read for it; `woken` = there may be more since that began. */
  giving = false;
  woken = false;
  /** Resolve when the last frame of each lane has been handled. */
  #reports: Promise<void> = Promise.resolve();
  #evidence: Promise<void> = Promise.resolve();
  #waiting = 0;
  #waitingBytes = 0;
  /** Malformed frames since `#malformedSince`, and since the connection began. */
  #malformedLately = 0;
  #malformedSince = 0;
  #malformedInAll = 0;

  constructor(socket: WebSocket, tokenName: string, handlers: FrameHandlers) {
    this.#socket = socket;
    this.tokenName = tokenName;
    socket.on(
      'message',
      guarded(
        'agent-frame-failed',
        (data: Buffer) => this.#enqueue(data, handlers),
        () => socket.terminate(),
      ),
    );
    socket.on('ping', () => this.#noteLife());
    socket.on('error', (error) =>
      writeLog('warn', 'an agent connection failed', { agent: this.tokenName, ...errorFields(error) }),
    );
  }

  /** Sends a message in the version that the agent speaks. Returns why it was not sent when the agent would refuse it. */
  send(message: ToAgent): string | null {
    const outgoing = outgoingMessage(message, this.protocol);
    if ('problem' in outgoing) {
      const { problem } = outgoing;
      writeLog('error', 'agent-message-not-sent', { agent: this.tokenName, type: message.type, problem });
      return problem;
    }
    if (outgoing.text !== null && this.#socket.readyState === this.#socket.OPEN) this.#socket.send(outgoing.text);
    return null;
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

  #enqueue(data: Buffer, handlers: FrameHandlers): void {
    this.#noteLife();
    this.#waiting += 1;
    this.#waitingBytes += data.length;
    if (this.#isFull()) this.#socket.pause();
    // Parsed at once, while the database is busy with the frames before it; handled in its turn.
    const parsed = readAgentFrame(data);
    const work = async (): Promise<void> => {
      try {
        if (this.#socket.readyState === this.#socket.OPEN) await this.#handle(parsed, handlers);
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
    if (isEvidence(parsed)) {
      this.#evidence = Promise.all([this.#reports, this.#evidence]).then(work);
    } else {
      this.#reports = this.#reports.then(work);
    }
  }

  #isFull(): boolean {
    return this.#waiting >= QUEUE_MAX || this.#waitingBytes >= QUEUE_MAX_BYTES;
  }

  async #handle(parsed: AgentFrame, handlers: FrameHandlers): Promise<void> {
    switch (parsed.kind) {
      case 'unreadable':
        return this.refuse('malformed', parsed.problem);
      case 'malformed':
        return this.#refuseFrame(parsed.malformed, handlers);
      case 'frame':
        if (parsed.repaired !== null && !this.#noteMalformed(parsed.frame.type, parsed.repaired)) return;
        try {
          return await handlers.frame(parsed.frame);
        } catch (error) {
          if (!(error instanceof FrameRefused)) throw error;
          const { message: problem, cause } = error;
          writeLog('error', 'agent-frame-refused', { agent: this.tokenName, ...errorFields(cause) });
          return this.#refuseFrame(asMalformed(parsed.frame, problem), handlers);
        }
    }
  }

  /** Costs what the frame is about, and not the connection. */
  async #refuseFrame(malformed: MalformedFrame, handlers: FrameHandlers): Promise<void> {
    const { type, problem, machine, attempt } = malformed;
    if (this.#noteMalformed(type, problem, { machine, attempt: attempt?.attemptId })) {
      await handlers.malformed(malformed);
    }
  }

  /** Logs and counts a malformed frame; false when they were too many and the connection ends. */
  #noteMalformed(type: FromAgent['type'], problem: string, subject: object = {}): boolean {
    const now = performance.now();
    if (now - this.#malformedSince >= MINUTE_MS) [this.#malformedSince, this.#malformedLately] = [now, 0];
    this.#malformedLately += 1;
    this.#malformedInAll += 1;
    const count = this.#malformedInAll;
    writeLog('warn', 'malformed-frame', { agent: this.tokenName, type, ...subject, problem, count });
    if (this.#malformedLately <= MALFORMED_PER_MINUTE) return true;
    this.refuse(
      'malformed',
      `more than ${MALFORMED_PER_MINUTE} malformed frames within a minute, the last: ${problem}`,
    );
    return false;
  }
}

function isEvidence(parsed: AgentFrame): boolean {
  if (parsed.kind === 'unreadable') return false;
  return EVIDENCE.has(parsed.kind === 'frame' ? parsed.frame.type : parsed.malformed.type);
}
