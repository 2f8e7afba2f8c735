import { SOLE_ROLE } from '@peerlab/contracts';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { AttemptSender, AttemptSpool, LineSplitter, SpoolDisk } from '@peerlab/agent/spool';
import type { FakeAgent } from '@peerlab/controller/testing';
import type { BenchFarm, Held } from './farm.js';
import { sampleLine } from './ingest.js';
import { compare, timeMs, type Comparison } from './measure.js';

const STREAM = 'kernel';
/** What a chatty kernel prints. */
const LINES_PER_SECOND = 10_000;
const CHUNK_LINES = 500;

/** The agent's whole way of a line, in this process: bytes, lines, spool on disk, sender, socket. */
export class SpoolPath {
  readonly #spool: AttemptSpool;
  readonly #sender: AttemptSender;
  readonly #splitter: LineSplitter;
  readonly #folder: string;
  readonly disk: SpoolDisk;
  acked = 0;
  /** Most lines that were produced and not yet acknowledged. */
  mostWaiting = 0;
  fault: unknown = null;
  readonly #agent: FakeAgent;
  readonly #attempt: Held;

  private constructor(agent: FakeAgent, attempt: Held, folder: string, disk: SpoolDisk) {
    this.#agent = agent;
    this.#attempt = attempt;
    this.#folder = folder;
    this.disk = disk;
    const work = { kind: 'build' as const, buildName: 'bench', series: [], config: 'bench' };
    this.#spool = AttemptSpool.create(
      folder,
      { ...attempt, attemptId: attempt.participantId, runId: attempt.participantId, role: SOLE_ROLE, peers: [], work },
      disk,
    );
    this.#splitter = new LineSplitter((line, continues) => {
      this.#spool.appendLine(STREAM, line, Date.now(), continues);
      this.mostWaiting = Math.max(this.mostWaiting, this.produced - this.acked);
    });
    const send = (frame: Parameters<FakeAgent['send']>[0]): boolean => {
      agent.send(frame);
      return true;
    };
    this.#sender = new AttemptSender(this.#spool, send, (error) => (this.fault ??= error));
    this.#sender.resume({});
  }

  static async open(agent: FakeAgent, attempt: Held, disk = new SpoolDisk()): Promise<SpoolPath> {
    const folder = await mkdtemp('/tmp/peerlab-spool-');
    await chmod(folder, 0o755);
    return new SpoolPath(agent, attempt, folder, disk);
  }

  get produced(): number {
    return this.#spool.nextOf(STREAM);
  }

  /** Bytes as they come from a channel; waits while the spool is full. */
  async take(chunk: Uint8Array): Promise<void> {
    this.#splitter.push(chunk);
    await this.disk.wait();
  }

  /** Resolves when the controller has acknowledged `next` lines. */
  async until(next: number): Promise<void> {
    while (this.acked < next) {
      const ack = await this.#agent.next('ack', (message) => message.stream === STREAM);
      if (this.fault !== null) throw new Error('the spool failed', { cause: this.fault });
      this.acked = Math.max(this.acked, ack.next);
      this.#sender.acknowledge(STREAM, ack.next);
    }
  }

  async close(): Promise<void> {
    this.#sender.stop();
    this.#spool.remove();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** How many lines of the stream Postgres has, and how many are said to be missing. */
  async stored(farm: BenchFarm): Promise<{ lines: number; missing: number }> {
    const client = await farm.connect();
    const { rows } = await client.query<{ lines: number; missing: number }>(
      `select count(*) as lines, coalesce(sum((gap ->> 'lines')::int), 0)::bigint as missing
       from log_line where participant_id = $1 and stream = $2`,
      [this.#attempt.participantId, STREAM],
    );
    const [row] = rows;
    if (row === undefined) throw new Error('the database counts nothing');
    return row;
  }
}

/** From the bytes of a console to acknowledged rows, as fast as it goes and at the pace of a chatty kernel. */
export async function measureSpool(
  farm: BenchFarm,
  agent: FakeAgent,
  attempt: Held,
  size: { lines: number; paced: number },
): Promise<Comparison[]> {
  const path = await SpoolPath.open(agent, attempt);
  const client = await farm.connect();
  await client.query('create table floor_spool (like log_line including all)');
  try {
    const chunks = chunksOf(0, size.lines);
    const produce = async (): Promise<void> => {
      for (const chunk of chunks) {
        await path.take(chunk);
        // As a socket does: other things happen between two chunks.
        await delay(0);
      }
    };
    const ms = await timeMs(() => Promise.all([path.until(size.lines), produce()]));
    const file = join(farm.stateDir, 'spool.tsv');
    const rows = Array.from(
      { length: size.lines },
      (_, seq) => `${attempt.participantId}\t${STREAM}\t${seq}\t${seq}\t${sampleLine(seq)}\n`,
    );
    await writeFile(file, rows.join(''));
    const copy = `copy floor_spool (participant_id, stream, seq, at, text) from '${file}'`;
    const copyMs = await timeMs(() => client.query(copy));
    const paced = await paceOf(path, size.lines, size.paced);
    const total = size.lines + size.paced;
    const { lines, missing } = await path.stored(farm);
    if (lines !== total || missing !== 0)
      throw new Error(`${lines} of ${total} lines are stored, ${missing} are missing`);
    return [
      compare({
        what: 'console bytes to stored lines',
        unit: 'lines/s',
        controller: (size.lines * 1000) / ms,
        floor: (size.lines * 1000) / copyMs,
        floorIs: 'one COPY of the same rows from a file of the server',
      }),
      compare({
        what: `${LINES_PER_SECOND} lines/s: until the last is stored`,
        unit: 'ms',
        controller: paced.tookMs,
        floor: paced.producedMs,
        floorIs: `the kernel prints; at most ${paced.mostWaiting} lines waited`,
      }),
    ];
  } finally {
    await path.close();
  }
}

/** Lines at the kernel's pace: how long it printed, and until all of it was stored. */
async function paceOf(
  path: SpoolPath,
  from: number,
  lines: number,
): Promise<{ producedMs: number; tookMs: number; mostWaiting: number }> {
  path.mostWaiting = 0;
  const start = performance.now();
  const produce = async (): Promise<number> => {
    for (const [index, chunk] of chunksOf(from, lines).entries()) {
      const due = start + (index * CHUNK_LINES * 1000) / LINES_PER_SECOND;
      await delay(Math.max(0, due - performance.now()));
      await path.take(chunk);
    }
    return performance.now() - start;
  };
  const [producedMs] = await Promise.all([produce(), path.until(from + lines)]);
  return { producedMs, tookMs: performance.now() - start, mostWaiting: path.mostWaiting };
}

function chunksOf(from: number, lines: number): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = from; at < from + lines; at += CHUNK_LINES) {
    const count = Math.min(CHUNK_LINES, from + lines - at);
    chunks.push(Buffer.from(Array.from({ length: count }, (_, index) => `${sampleLine(at + index)}\n`).join('')));
  }
  return chunks;
}
