import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LOG_BATCH_MAX, type LogLine } from '@peerlab/contracts';
import type { FakeAgent } from '@peerlab/controller/testing';
import type { Client } from 'pg';
import type { BenchFarm, Held } from './farm.js';
import { compare, median, timeMs, type Comparison } from './measure.js';

const STREAM = 'test';
const ROUNDS = 3;
/** Frames on their way without an acknowledgement, as the agent's sender keeps them. */
const WINDOW = 4;

/** Lines of about 110 characters, as a kernel writes them. */
export function sampleLine(seq: number): string {
  const time = (seq / 1000).toFixed(6).padStart(12);
  return `[${time}] p2pvram 0000:03:00.0: fault ${seq} at 0x${(seq * 4096).toString(16).padStart(12, '0')} migrated 16 pages, alias yes`;
}

/** Log lines from an agent's frames to acknowledged rows, in rounds that alternate with the floors. */
export async function measureIngest(
  farm: BenchFarm,
  agent: FakeAgent,
  attempt: Held,
  linesPerRound: number,
): Promise<Comparison[]> {
  const client = await farm.connect();
  for (const table of ['floor_copy', 'floor_insert'])
    await client.query(`create table ${table} (like log_line including all)`);
  const rates: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    const from = round * linesPerRound;
    const lines = Array.from({ length: linesPerRound }, (_, index) => {
      const seq = from + index;
      return { seq, at: 1_763_800_000_000 + seq, text: sampleLine(seq) };
    });
    const batches = split(lines);
    const frames = batches.map((batch) => JSON.stringify({ type: 'log', ...attempt, stream: STREAM, lines: batch }));
    const file = join(farm.stateDir, 'lines.tsv');
    await writeFile(
      file,
      lines.map(({ seq, at, text }) => `${attempt.participantId}\t${STREAM}\t${seq}\t${at}\t${text}\n`).join(''),
    );
    const perSecond = (ms: number): number => (linesPerRound * 1000) / ms;
    rates[0].push(perSecond(await timeMs(() => sendFrames(agent, attempt, frames, batches))));
    rates[1].push(
      perSecond(
        await timeMs(() => client.query(`copy floor_copy (participant_id, stream, seq, at, text) from '${file}'`)),
      ),
    );
    rates[2].push(perSecond(await timeMs(() => insertBatches(client, attempt, batches))));
  }
  const stored = await client.query<{ n: number }>(
    'select count(*) as n from log_line where participant_id = $1 and stream = $2',
    [attempt.participantId, STREAM],
  );
  if (stored.rows[0]?.n !== ROUNDS * linesPerRound) throw new Error('acknowledged lines are missing');
  const [controller, copy, insert] = [median(rates[0]), median(rates[1]), median(rates[2])];
  const shared = { what: 'log ingest', unit: 'lines/s', controller } as const;
  return [
    compare({ ...shared, floor: copy, floorIs: 'one COPY of the same rows from a file of the server' }),
    compare({ ...shared, floor: insert, floorIs: `one unnest INSERT per ${LOG_BATCH_MAX} lines, committed each` }),
  ];
}

function split(lines: readonly LogLine[]): LogLine[][] {
  const batches: LogLine[][] = [];
  for (let at = 0; at < lines.length; at += LOG_BATCH_MAX) batches.push(lines.slice(at, at + LOG_BATCH_MAX));
  return batches;
}

/** Sends with a window and resolves when all is acknowledged. */
async function sendFrames(
  agent: FakeAgent,
  { participantId }: Held,
  frames: readonly string[],
  batches: readonly LogLine[][],
): Promise<void> {
  const acked = (index: number): Promise<void> => {
    const last = batches[index]?.at(-1);
    return last === undefined ? Promise.resolve() : agent.acked(participantId, STREAM, last.seq + 1);
  };
  for (const [index, frame] of frames.entries()) {
    await acked(index - WINDOW);
    agent.sendText(frame);
  }
  await acked(frames.length - 1);
}

async function insertBatches(client: Client, { participantId }: Held, batches: readonly LogLine[][]): Promise<void> {
  for (const batch of batches) {
    await client.query(
      `insert into floor_insert (participant_id, stream, seq, at, text)
       select $1::uuid, $2::text, * from unnest($3::bigint[], $4::bigint[], $5::text[])`,
      [participantId, STREAM, batch.map(({ seq }) => seq), batch.map(({ at }) => at), batch.map(({ text }) => text)],
    );
  }
}
