import { randomUUID } from 'node:crypto';
import {
  AGENT_PROTOCOL,
  FRAME_MAX_BYTES,
  type AgentDisk,
  type FromAgent,
  type HeldParticipant,
  type ToAgent,
} from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import type { WebSocket } from 'ws';
import { guarded } from '../platform/guarded.js';
import { asMalformed, readAgentFrame, type AgentFrame, type MalformedFrame } from './agent-frame.js';
import { FrameRefused } from './frame-failures.js';
import { outgoingMessage } from './agent-message.js';

/** Frames, and bytes of them, that may wait to be processed before the socket is paused. */
const QUEUE_MAX = 32;
const QUEUE_MAX_BYTES = 4 * FRAME_MAX_BYTES;
/** Limit of buffered answers that an agent has not read; some thousand acknowledgements have a megabyte. */
const UNREAD_MAX_BYTES = 32 * 1024 * 1024;
/** Bulk data that no lease depends on; the other frames overtake it. */
const EVIDENCE: ReadonlySet<FromAgent['type']> = new Set(['log', 'events']);
/** Close codes of the private range: the agent reconnects after CLOSE_SUPERSEDED, not after CLOSE_REFUSED. */
const CLOSE_REFUSED = 4000;
const CLOSE_SUPERSEDED = 4001;
const CLOSE_INTERNAL = 1011;

/**
 * Malformed frames within a minute above which the connection is closed. An agent sends the inventories of all its
 * machines (at most 2000) when it connects: if all of them are malformed, it must still stay connected.
 */
export const MALFORMED_PER_MINUTE = 2500;
const MINUTE_MS = 60_000;

/** Handlers of the frames of a connection. */
export interface FrameHandlers {
  /** Throws FrameRefused when a frame can never be handled. */
  frame: (frame: FromAgent) => Promise<void>;
  /** A frame that cannot be read or stored; called in the order of the frames. */
  malformed: (frame: MalformedFrame) => Promise<void>;
}

/**
 * One socket of an agent. Frames are parsed, then handled in two sequential queues: a heartbeat does not wait for log
 * lines before it, since otherwise a chatty kernel would cost its agent the lease; evidence waits for all frames
 * before it.
 */
export class AgentConnection {
  readonly id = randomUUID();
  readonly #socket: WebSocket;
  /** The name of the token. */
  readonly tokenName: string;
  /** Known after hello. */
  agent: string | null = null;
  /** The database has it as the connection that speaks for the agent, or had it. */
  recorded = false;
  /** Protocol version of the agent; known after hello. */
  protocol = AGENT_PROTOCOL;
  held: readonly HeldParticipant[] = [];
  /** As the newest heartbeat has it. */
  disk: AgentDisk = {};
  lastFrameAt = performance.now();
  /** When an order was last sent, by kind and participant. */
  readonly sentAt = new Map<string, number>();
  /** Why the newest inventory of a machine was refused, by machine: heartbeats do not contain it. */
  readonly inventoryProblems = new Map<string, string>();
  /** Orders are being read and sent; `woken` = there may be more since that began. */
  sendingOrders = false;
  woken = false;
  /** Resolve when the last frame of each queue has been handled. */
  #reports: Promise<void> = Promise.resolve();
  #evidence: Promise<void> = Promise.resolve();
  #waiting = 0;
  #waitingBytes = 0;
  /** Malformed frames since `#malformedSince`, and since the connection was opened. */
  #malformedLately = 0;
  #malformedSince = 0;
  #malformedTotal = 0;

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
    socket.on('ping', () => this.#onReceived());
    socket.on('error', (err) => log.warn({ err, agent: this.tokenName }, 'agent-connection-failed'));
  }

  /** Sends a message in the agent's protocol version. Returns why it was not sent, or null. */
  send(message: ToAgent): string | null {
    const outgoing = outgoingMessage(message, this.protocol);
    if ('problem' in outgoing) {
      const { problem } = outgoing;
      log.error({ agent: this.tokenName, type: message.type, problem }, 'agent-message-not-sent');
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

  /** Terminates, and resolves when the listeners of the socket's end have run. */
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

  /** Terminates a connection that sends without reading: it would make us buffer answers without bound. */
  #onReceived(): void {
    this.lastFrameAt = performance.now();
    if (this.#socket.bufferedAmount > UNREAD_MAX_BYTES) this.#socket.terminate();
  }

  #enqueue(data: Buffer, handlers: FrameHandlers): void {
    this.#onReceived();
    this.#waiting += 1;
    this.#waitingBytes += data.length;
    if (this.#isFull()) this.#socket.pause();
    // Parsed now, while the database handles the frames before it.
    const parsed = readAgentFrame(data);
    const work = async (): Promise<void> => {
      try {
        if (this.#socket.readyState === this.#socket.OPEN) await this.#handle(parsed, handlers);
      } catch (err) {
        // It was not acknowledged, so the agent sends it again on its next connection.
        log.error({ err, agent: this.tokenName }, 'agent-frame-not-handled');
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
          log.error({ err: cause, agent: this.tokenName }, 'agent-frame-refused');
          return this.#refuseFrame(asMalformed(parsed.frame, problem), handlers);
        }
    }
  }

  /** Refuses the machine or participant that the frame is about; the connection stays. */
  async #refuseFrame(malformed: MalformedFrame, handlers: FrameHandlers): Promise<void> {
    const { type, problem, machine, participant } = malformed;
    if (this.#noteMalformed(type, problem, { machine, participant: participant?.participantId })) {
      await handlers.malformed(malformed);
    }
  }

  /** Logs and counts a malformed frame; false when there were too many and the connection is closed. */
  #noteMalformed(type: FromAgent['type'], problem: string, subject: object = {}): boolean {
    const now = performance.now();
    if (now - this.#malformedSince >= MINUTE_MS) [this.#malformedSince, this.#malformedLately] = [now, 0];
    this.#malformedLately += 1;
    this.#malformedTotal += 1;
    const count = this.#malformedTotal;
    log.warn({ agent: this.tokenName, type, ...subject, problem, count }, 'malformed-frame');
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
