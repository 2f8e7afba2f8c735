import { once } from 'node:events';
import {
  AGENT_PATH,
  AGENT_PROTOCOL,
  ToAgent,
  type AgentMachine,
  type AttemptEvent,
  type Catalogue,
  type FromAgent,
  type HeldParticipant,
  type HeldReservation,
  type Inventory,
  type SpoolStream,
} from '@peerlab/contracts';
import { WebSocket } from 'ws';
import { SAMPLE_CATALOGUE } from './samples.js';

type Stream = (typeof SpoolStream)['options'][number];
type Of<T extends ToAgent['type']> = Extract<ToAgent, { type: T }>;

/** Below the time limit of a test, so that a test says what it waited for. */
const WAIT_MS = 75_000;
/** Kinds of messages in the message of a wait that was in vain. */
const LAST_RECEIVED = 20;

export interface FakeAgentOptions {
  name?: string;
  capabilities?: ('test' | 'build')[];
  buildSlots?: number;
  testSlots?: number | null;
  machines?: string[];
  /** The site that it says it belongs to. */
  site?: string;
  /** What its token holds it to. */
  token?: { site?: string; only?: 'test' | 'build' };
  /** What it says it speaks. Default: the newest. */
  protocol?: number;
  /** What it tells that it can build and run; null = nothing, as agents older than the catalogue do. */
  catalogue?: Catalogue | null;
  /** Whether it restores what people give back, as agents of before reservations do not. */
  restores?: boolean;
}

const PING_MS = 4000;

/** Speaks the agent channel over a real WebSocket; what it "does" is up to the test. */
export class FakeAgent {
  readonly received: ToAgent[] = [];
  /** Every message as it came, for those who speak another version. */
  readonly raw: unknown[] = [];
  readonly #socket: WebSocket;
  readonly #options: Required<FakeAgentOptions>;
  readonly #waiting = new Set<() => void>();
  closeCode: number | null = null;

  private constructor(socket: WebSocket, options: FakeAgentOptions) {
    this.#socket = socket;
    this.#options = {
      name: 'lab',
      capabilities: ['test', 'build'],
      buildSlots: 1,
      testSlots: null,
      machines: [],
      site: 'test-site',
      token: {},
      protocol: AGENT_PROTOCOL,
      catalogue: (options.capabilities ?? ['build']).includes('build') ? SAMPLE_CATALOGUE : { suites: [], configs: [] },
      restores: true,
      ...options,
    };
    socket.on('message', (data: Buffer) => {
      const message: unknown = JSON.parse(data.toString());
      this.raw.push(message);
      this.received.push(ToAgent.parse(message));
      for (const wake of this.#waiting) wake();
    });
    // As an agent does: a busy computer lets a test wait for longer than a silent connection is kept.
    const pings = setInterval(() => socket.ping(), PING_MS).unref();
    socket.on('close', (code) => {
      clearInterval(pings);
      this.closeCode = code;
      for (const wake of this.#waiting) wake();
    });
  }

  /** Opens a connection; rejects when the upgrade is refused. */
  static async connect(url: string, token: string, options: FakeAgentOptions = {}): Promise<FakeAgent> {
    const socket = new WebSocket(url.replace('http', 'ws') + AGENT_PATH, {
      headers: { authorization: `Bearer ${token}` },
    });
    await once(socket, 'open');
    return new FakeAgent(socket, options);
  }

  send(frame: FromAgent): void {
    this.#socket.send(JSON.stringify(frame));
  }

  sendText(text: string): void {
    this.#socket.send(text);
  }

  /** Introduces itself and waits for the welcome. */
  async hello(held: HeldParticipant[] = []): Promise<Of<'welcome'>> {
    const { name: agent, site, capabilities, buildSlots, testSlots, protocol, catalogue } = this.#options;
    this.send({
      type: 'hello',
      bindsPairs: true,
      protocol,
      agent,
      site,
      version: '0.0.0',
      capabilities,
      buildSlots,
      testSlots,
      machines: this.machines(),
      participants: held,
      ...(this.#options.restores ? { reservations: [] } : {}),
      ...(catalogue === null ? {} : { catalogue }),
    });
    return this.next('welcome');
  }

  machines(): AgentMachine[] {
    return this.#options.machines.map((name) => ({
      name,
      description: '',
      labels: { lab: 'fake' },
      reachable: true,
      problem: null,
    }));
  }

  heartbeat(held: HeldParticipant[] = [], reservations: HeldReservation[] = []): void {
    const { restores } = this.#options;
    this.send({
      type: 'heartbeat',
      machines: this.machines(),
      participants: held,
      ...(restores ? { reservations } : {}),
    });
  }

  inventory(machine: string, inventory: Inventory): void {
    this.send({ type: 'inventory', machine, inventory });
  }

  /** Sends events numbered from `from` and waits until all of them are stored. */
  async events(
    participant: Pick<HeldParticipant, 'participantId' | 'fence'>,
    from: number,
    ...events: AttemptEvent[]
  ): Promise<void> {
    const { participantId, fence } = participant;
    const numbered = events.map((event, index) => ({ seq: from + index, at: Date.now(), event }));
    this.send({ type: 'events', participantId, fence, events: numbered });
    await this.acked(participantId, 'events', from + events.length);
  }

  /** Sends log lines numbered from `from` and waits until all of them are stored. */
  async log(
    participant: Pick<HeldParticipant, 'participantId' | 'fence'>,
    stream: Exclude<Stream, 'events'>,
    from: number,
    texts: string[],
  ): Promise<void> {
    const { participantId, fence } = participant;
    const lines = texts.map((text, index) => ({ seq: from + index, at: 1_763_800_000_000, text }));
    this.send({ type: 'log', participantId, fence, stream, lines });
    await this.acked(participantId, stream, from + texts.length);
  }

  async acked(participantId: string, stream: Stream, next: number): Promise<void> {
    await this.#find(
      `ack of ${next} ${stream}`,
      (m) => m.type === 'ack' && m.participantId === participantId && m.stream === stream && m.next >= next,
    );
  }

  /** Takes the first message of a type out of what was received, waiting for it if necessary. */
  async next<T extends ToAgent['type']>(type: T, match: (message: Of<T>) => boolean = () => true): Promise<Of<T>> {
    const found = await this.#find(type, (message) => message.type === type && match(message as Of<T>));
    this.received.splice(this.received.indexOf(found), 1);
    return found as Of<T>;
  }

  /** Waits for an assignment, accepts it and returns it. */
  async take(kind: 'build' | 'test'): Promise<Of<'assign'>['assignment']> {
    const { assignment } = await this.next('assign', (message) => message.assignment.work.kind === kind);
    this.send({ type: 'accepted', participantId: assignment.participantId, fence: assignment.fence });
    return assignment;
  }

  async closed(): Promise<number> {
    if (this.closeCode === null) await this.#wakeup('end of the connection', () => this.closeCode !== null);
    return this.closeCode ?? 0;
  }

  /** Goes away without a word, as a cut cable would. */
  vanish(): void {
    this.#socket.terminate();
  }

  async #find(what: string, match: (message: ToAgent) => boolean): Promise<ToAgent> {
    await this.#wakeup(what, () => this.received.some(match) || this.closeCode !== null);
    const found = this.received.find(match);
    if (found === undefined) throw new Error(`the connection was closed (${this.closeCode}) before the ${what} came`);
    return found;
  }

  #wakeup(what: string, condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((done, fail) => {
      const stop = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(check);
      };
      const check = (): void => {
        if (!condition()) return;
        stop();
        done();
      };
      const timer = setTimeout(() => {
        stop();
        const kinds = this.received.map(({ type }) => type).slice(-LAST_RECEIVED);
        fail(
          new Error(
            `agent ${this.#options.name} waited ${WAIT_MS / 1000} s for ${what}; received: ${kinds.join(', ') || 'nothing'}`,
          ),
        );
      }, WAIT_MS);
      this.#waiting.add(check);
    });
  }
}
