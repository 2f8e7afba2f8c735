import type { Proof } from '@peerlab/contracts';
import { eventually } from '@peerlab/controller/testing';
import type { Client } from 'pg';
import type { BenchFarm } from './farm.js';
import { insertEndedAttempts, insertRun, settleTables } from './fixtures.js';
import { compareTimes, timeMs, type Comparison } from './measure.js';

const PAGE_LINES = 1000;
const PROOF: Proof = {
  test: 'F01',
  expected: 'peer',
  taken: 'BUS_ADDR',
  detail: {
    'alias pages': 4,
    'RAM pages': 0,
    'dma_alias calls': 4,
    'pages migrated back': 0,
    'bytes compared': 16384,
    'oracle reads': 1,
  },
};

/** The grid of a run of `columns` × `tests` cells over HTTP, `reads` times. */
export async function measureGrid(
  farm: BenchFarm,
  { columns, tests, reads }: { columns: number; tests: number; reads: number },
): Promise<Comparison[]> {
  const client = await farm.connect();
  const machines = Array.from({ length: columns }, (_, index) => `g${index}`);
  await farm.agent('grid', machines);
  const run = await insertRun(client, 'grid', machines, 'ended');
  const attemptIds = await insertEndedAttempts(client, run, 'grid');
  await client.query(
    `insert into result (attempt_id, suite, test, position, status, verdict, duration_ms, proof, warnings)
     select a, 'p2p-functional', 'test_' || t, t, 'pass', 'pass', 12.5, $3, '{}'
     from unnest($1::uuid[]) as a, generate_series(1, $2::int) as t`,
    [attemptIds, tests, PROOF],
  );
  // As at the end of an attempt: what is measured is a grid of packed results.
  await client.query('insert into unpacked_attempt (attempt_id) select unnest($1::uuid[])', [attemptIds]);
  await eventually('packed results', async () => {
    const { rows } = await client.query<{ left: string }>('select count(*) as left from unpacked_attempt');
    return Number(rows[0]?.left) === 0;
  });
  await settleTables(client, 'result', 'job', 'attempt', 'stream');
  const url = `${farm.url}/api/v1/grid?run=${run.runId}`;
  const cells = JSON.parse(await getText(url)) as { cells: unknown[] };
  if (cells.cells.length !== columns * tests) throw new Error(`the grid has ${cells.cells.length} cells`);
  const bare = (): Promise<unknown> =>
    client.query(
      `select attempt_id, suite, test, position, verdict, reason, duration_ms, proof, log from result
       where attempt_id = any($1)`,
      [attemptIds],
    );
  const [controllerMs, floorMs] = await alternate(reads, () => getText(url), bare);
  return compareTimes(`grid of ${columns} × ${tests}`, controllerMs, floorMs, 'the bare SELECT of the same cells');
}

/** Pages of 1000 lines around the middle of a log of `lines` lines over HTTP, `reads` times. */
export async function measureLogPages(
  farm: BenchFarm,
  { lines, reads }: { lines: number; reads: number },
): Promise<Comparison[]> {
  const client = await farm.connect();
  await farm.agent('pages', ['p0']);
  const run = await insertRun(client, 'pages', ['p0'], 'ended');
  const attemptId = (await insertEndedAttempts(client, run, 'pages', lines))[0] ?? '';
  await insertLog(client, attemptId, lines);
  const middle = Math.floor(lines / 2);
  const first = JSON.parse(await getText(pageUrl(farm, attemptId, middle))) as { lines: { seq: number }[] };
  const expected = Math.min(PAGE_LINES, lines - middle);
  if (first.lines.length !== expected || first.lines[0]?.seq !== middle)
    throw new Error('the page is not the one asked for');
  // Another page every time, and the same ones for both.
  const at = (index: number): number => middle + index * PAGE_LINES - Math.floor(reads / 2) * PAGE_LINES;
  const clamp = (from: number): number => Math.max(0, Math.min(lines - PAGE_LINES, from));
  const bare = (index: number): Promise<unknown> => {
    const from = clamp(at(index));
    return client.query(
      'select seq, at, text from log_line where participant_id = $1 and stream = $2 and seq >= $3 and seq < $4 order by seq',
      [attemptId, 'test', from, from + PAGE_LINES],
    );
  };
  const [controllerMs, floorMs] = await alternate(
    reads,
    (index) => getText(pageUrl(farm, attemptId, clamp(at(index)))),
    bare,
  );
  return compareTimes(
    `page of ${PAGE_LINES} lines in a log of ${lines.toLocaleString('en-US')}`,
    controllerMs,
    floorMs,
    'the bare SELECT of the same lines',
  );
}

const pageUrl = (farm: BenchFarm, attemptId: string, from: number): string =>
  `${farm.url}/api/v1/attempts/${attemptId}/log?stream=test&from=${from}&limit=${PAGE_LINES}`;

/**
 * Body of a GET as text; a person's browser parses it, not the controller. Uncompressed: compression is time spent for
 * bytes, and on one computer bytes cost nothing.
 */
async function getText(url: string): Promise<string> {
  const response = await fetch(url, { headers: { 'accept-encoding': 'identity' } });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
  return text;
}

async function insertLog(client: Client, attemptId: string, lines: number): Promise<void> {
  await client.query(
    `insert into log_line (participant_id, stream, seq, at, text)
     select $1::uuid, 'test', s, 1763800000000 + s, format('[%s] p2pvram 0000:03:00.0: fault %s at 0x%s migrated 16 pages, alias yes',
       lpad((s / 1000.0)::numeric(12, 6)::text, 12), s, lpad(to_hex(s * 4096), 12, '0'))
     from generate_series(0, $2::bigint - 1) as s`,
    [attemptId, lines],
  );
  await settleTables(client, 'log_line');
}

/** Times of both in turn, so that a busy computer disturbs both alike. One read of each is left out as warm-up. */
async function alternate(
  reads: number,
  controller: (index: number) => Promise<unknown>,
  floor: (index: number) => Promise<unknown>,
): Promise<[number[], number[]]> {
  const times: [number[], number[]] = [[], []];
  for (let index = -1; index < reads; index += 1) {
    const pair = [
      await timeMs(() => controller(Math.max(0, index))),
      await timeMs(() => floor(Math.max(0, index))),
    ] as const;
    if (index < 0) continue;
    times[0].push(pair[0]);
    times[1].push(pair[1]);
  }
  return times;
}
