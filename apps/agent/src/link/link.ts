import { FRAME_MAX_BYTES, HEARTBEAT_SECONDS, type FromAgent, ToAgent } from '@peerlab/contracts';
import { reconnectPauseMs } from '@peerlab/client';
import { log } from '@peerlab/runtime';
import WebSocket from 'ws';
import { messageOf } from '../error-message.js';
import { channelUrl } from './controller-url.js';

type Hello = Extract<FromAgent, { type: 'hello' }>;

interface LinkHandlers {
  hello(): Hello;
  heartbeat(): FromAgent;
  /** Every message but `refused`; `welcome` is the first of a connection. */
  onMessage(message: ToAgent): void;
  onDown(): void;
  /** A message was not sent because it exceeds the frame limit; the controller would close the connection. */
  onTooLarge?(message: FromAgent, bytes: number): void;
}

interface LinkSettings {
  controller: string;
  /** Called for every connection, so that a replaced token file is used. */
  readToken: () => string;
  heartbeatMs?: number;
  /** Milliseconds before connection attempt number `attempt`, from 0. Default: linkPauseMs. */
  pauseMs?: (attempt: number) => number;
}

function textOf(data: WebSocket.RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString();
  return data instanceof ArrayBuffer ? Buffer.from(data).toString() : data.toString();
}

/** Why the controller did not open the channel, and what to do about it. */
function reasonOf(status: number | undefined, controller: string): string {
  switch (status) {
    case 401:
      return 'the controller refused the token (401); put a token made with `token create --kind agent` into tokenFile';
    case 421:
      return `the controller refuses the host name of ${controller} (421); name that host in PEERLAB_HOSTS of the controller, or correct controller in the agent config`;
    default:
      return `the controller answered ${status ?? '?'} instead of opening the channel`;
  }
}

/**
 * Unsent bytes above which `send` returns false; the spool keeps what was not sent. A heartbeat queues behind
 * them, so they must fit through a slow line within a lease.
 */
const BUFFERED_MAX_BYTES = 1024 * 1024;
const CONNECT_TIMEOUT_MS = 10_000;

/** Attempt from which on the pause grows no more. */
const LAST_GROWING_ATTEMPT = 4;

/**
 * Milliseconds before connection attempt number `attempt`, from 0: at most 4 s. Far below a lease, unlike the longest
 * pause of other clients: a controller that was away for a moment must cost no job.
 */
export function linkPauseMs(attempt: number, random?: () => number): number {
  return reconnectPauseMs(Math.min(attempt, LAST_GROWING_ATTEMPT), random);
}

/**
 * The WebSocket to the controller. Connects again for ever, with a jittered back-off; a connection
 * whose pings stay unanswered for two heartbeats is half open and is thrown away.
 */
export class Link {
  #socket: WebSocket | null = null;
  #welcomed = false;
  #failures = 0;
  #stopped = false;
  #retryTimer: NodeJS.Timeout | null = null;

  readonly #settings: LinkSettings;
  readonly #handlers: LinkHandlers;

  constructor(settings: LinkSettings, handlers: LinkHandlers) {
    this.#settings = settings;
    this.#handlers = handlers;
  }

  start(): void {
    this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    const socket = this.#socket;
    this.#socket = null;
    this.#welcomed = false;
    socket?.close(1001, 'agent stops');
    socket?.terminate();
  }

  /** Between welcome and the end of the connection. */
  get up(): boolean {
    return this.#welcomed;
  }

  /** Returns false, and queues nothing, when not connected, when too much is unsent, or when the message exceeds a frame (`onTooLarge`). */
  send(message: FromAgent): boolean {
    const socket = this.#socket;
    if (socket === null || !this.#welcomed || socket.readyState !== WebSocket.OPEN) return false;
    if (socket.bufferedAmount > BUFFERED_MAX_BYTES) return false;
    return this.#put(socket, message);
  }

  /** Sends a heartbeat now, in addition to the regular ones. */
  sendHeartbeat(): void {
    const socket = this.#socket;
    if (socket === null || !this.#welcomed || socket.readyState !== WebSocket.OPEN) return;
    this.#guarded('heartbeat', () => this.#put(socket, this.#handlers.heartbeat()));
  }

  /** Sends a message that fits into a frame; returns false, and sends nothing, for a larger one. */
  #put(socket: WebSocket, message: FromAgent): boolean {
    const text = JSON.stringify(message);
    // UTF-8 has at most three bytes for a UTF-16 unit.
    const bytes = text.length * 3 <= FRAME_MAX_BYTES ? text.length : Buffer.byteLength(text);
    if (bytes <= FRAME_MAX_BYTES) {
      socket.send(text);
      return true;
    }
    const about = {
      type: message.type,
      machine: 'machine' in message ? message.machine : undefined,
      participant: 'participantId' in message ? message.participantId : undefined,
    };
    log.error({ ...about, bytes, maxBytes: FRAME_MAX_BYTES }, 'frame-too-large');
    this.#handlers.onTooLarge?.(message, bytes);
    return false;
  }

  /** Logs an exception that would otherwise leave a listener of the socket or a timer uncaught. */
  #guarded(what: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      log.error({ what, err: error }, 'link-handler-failed');
    }
  }

  #connect(): void {
    let token: string;
    try {
      token = this.#settings.readToken();
    } catch (error) {
      log.error({ err: error, remedy: 'correct tokenFile in the agent config' }, 'token-unreadable');
      this.#retry();
      return;
    }
    const url = channelUrl(this.#settings.controller);
    const socket = new WebSocket(url, {
      headers: { authorization: `Bearer ${token}` },
      handshakeTimeout: CONNECT_TIMEOUT_MS,
      maxPayload: FRAME_MAX_BYTES,
    });
    this.#socket = socket;
    let stopHeart: () => void = () => undefined;
    let reason: string | null = null;
    socket.on('unexpected-response', (_request, response) => {
      reason = reasonOf(response.statusCode, this.#settings.controller);
      response.resume();
      socket.terminate();
    });
    socket.on('open', () => {
      this.#guarded('hello', () => this.#put(socket, this.#handlers.hello()));
      stopHeart = this.#startHeart(socket);
    });
    socket.on('message', (data) => this.#receive(socket, data));
    socket.on('error', (error) => {
      reason ??= messageOf(error);
    });
    socket.on('close', (code) => {
      stopHeart();
      if (this.#socket !== socket) return;
      this.#socket = null;
      const wasUp = this.#welcomed;
      this.#welcomed = false;
      if (wasUp) this.#guarded('down', () => this.#handlers.onDown());
      if (this.#stopped) return;
      log.warn({ url, code, reason: reason ?? 'closed' }, wasUp ? 'link-down' : 'link-failed');
      this.#retry();
    });
  }

  #receive(socket: WebSocket, data: WebSocket.RawData): void {
    let message: ToAgent;
    try {
      message = ToAgent.parse(JSON.parse(textOf(data)));
    } catch (error) {
      // An unknown message is the controller's mistake; a new connection starts from known state.
      log.error({ problem: messageOf(error).slice(0, 500) }, 'message-malformed');
      socket.terminate();
      return;
    }
    if (message.type === 'refused') {
      log.error({ code: message.code, reason: message.message }, 'link-refused');
      socket.terminate();
      return;
    }
    if (message.type === 'welcome') {
      this.#welcomed = true;
      this.#failures = 0;
      log.info({ agent: message.agent, attempts: message.participants.length }, 'link-up');
    } else if (!this.#welcomed) {
      return;
    }
    this.#guarded(message.type, () => this.#handlers.onMessage(message));
  }

  #startHeart(socket: WebSocket): () => void {
    const everyMs = this.#settings.heartbeatMs ?? HEARTBEAT_SECONDS * 1000;
    let unanswered = 0;
    socket.on('pong', () => {
      unanswered = 0;
    });
    const timer = setInterval(() => {
      if (unanswered >= 2) {
        log.warn({ unansweredPings: unanswered }, 'link-half-open');
        socket.terminate();
        return;
      }
      unanswered += 1;
      socket.ping();
      this.sendHeartbeat();
    }, everyMs);
    return () => clearInterval(timer);
  }

  #retry(): void {
    if (this.#stopped) return;
    const delayMs = (this.#settings.pauseMs ?? linkPauseMs)(this.#failures);
    this.#failures += 1;
    this.#retryTimer = setTimeout(() => this.#connect(), delayMs);
  }
}
