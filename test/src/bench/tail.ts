import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { LIVE_PATH, ToBrowser, type FromBrowser } from '@peerlab/contracts';
import type { FakeAgent } from '@peerlab/controller/testing';
import { WebSocket } from 'ws';
import type { BenchFarm, Held } from './farm.js';
import { sampleLine } from './ingest.js';
import { compareTimes, type Comparison } from './measure.js';

const STREAM = 'serial';
const CHANNEL = 'bench_tail';

/** Who follows: one person, and everybody who looks at a run that all wait for. */
const CROWD = 50;

/** From a line that the agent sends to the same line at the sockets of all browsers, one line at a time. */
export async function measureTail(
  farm: BenchFarm,
  agent: FakeAgent,
  attempt: Held,
  count: number,
): Promise<Comparison[]> {
  const floor = await BareTail.open(farm);
  const browsers = [await Browser.tail(farm.url, attempt.participantId)];
  const floorMs: number[] = [];
  let seq = 0;
  const measure = async (): Promise<number[]> => {
    const tailMs: number[] = [];
    for (const end = seq + count; seq < end; seq += 1) {
      const start = performance.now();
      agent.send({ type: 'log', ...attempt, stream: STREAM, lines: [{ seq, at: Date.now(), text: sampleLine(seq) }] });
      await Promise.all(browsers.map((browser) => browser.seen(seq)));
      tailMs.push(performance.now() - start);
      floorMs.push(await floor.pass(attempt.participantId, seq));
    }
    return tailMs;
  };
  try {
    const one = await measure();
    while (browsers.length < CROWD) browsers.push(await Browser.tail(farm.url, attempt.participantId));
    const crowd = await measure();
    const floorText = 'insert + NOTIFY, commit, LISTEN, SELECT';
    return [
      ...compareTimes('live tail of one line', one, floorMs, floorText),
      ...compareTimes(`live tail of one line, ${CROWD} browsers`, crowd, floorMs, floorText),
    ];
  } finally {
    for (const browser of browsers) browser.close();
  }
}

/** A browser's socket that follows one stream. */
class Browser {
  readonly #socket: WebSocket;
  #next = 0;
  #wake: (() => void) | null = null;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer) => {
      const message = ToBrowser.parse(JSON.parse(data.toString()));
      if (message.type === 'log') this.#next = (message.lines.at(-1)?.seq ?? -1) + 1;
      this.#wake?.();
    });
    socket.on('close', () => this.#wake?.());
  }

  static async tail(url: string, attemptId: string): Promise<Browser> {
    const socket = new WebSocket(url.replace('http', 'ws') + LIVE_PATH);
    await once(socket, 'open');
    const browser = new Browser(socket);
    socket.send(JSON.stringify({ type: 'tail', attemptId, stream: STREAM, fromSeq: 0 } satisfies FromBrowser));
    return browser;
  }

  async seen(seq: number): Promise<void> {
    while (this.#next <= seq) {
      if (this.#socket.readyState !== this.#socket.OPEN) throw new Error('the live channel was closed');
      await new Promise<void>((done) => (this.#wake = done));
    }
  }

  close(): void {
    this.#socket.close();
  }
}

/** The same way with nothing but Postgres: one connection writes, one listens and reads. */
class BareTail {
  readonly #pass: (attemptId: string, seq: number) => Promise<number>;

  private constructor(pass: BareTail['pass']) {
    this.#pass = pass;
  }

  static async open(farm: BenchFarm): Promise<BareTail> {
    const [writer, reader] = [await farm.connect(), await farm.connect()];
    await writer.query('create table floor_tail (like log_line including all)');
    await reader.query(`listen ${CHANNEL}`);
    return new BareTail(async (attemptId, seq) => {
      const start = performance.now();
      const heard = once(reader, 'notification');
      await writer.query('begin');
      await writer.query('insert into floor_tail values ($1, $2, $3, $4, $5)', [
        attemptId,
        STREAM,
        seq,
        Date.now(),
        sampleLine(seq),
      ]);
      await writer.query(`select pg_notify($1, '')`, [CHANNEL]);
      const committed = writer.query('commit');
      await heard;
      await reader.query(
        'select seq, at, text from floor_tail where participant_id = $1 and stream = $2 and seq >= $3',
        [attemptId, STREAM, seq],
      );
      const passed = performance.now() - start;
      await committed;
      return passed;
    });
  }

  /** Milliseconds that one line takes. */
  pass(attemptId: string, seq: number): Promise<number> {
    return this.#pass(attemptId, seq);
  }
}
