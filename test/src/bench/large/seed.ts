import { createHash } from 'node:crypto';
import { combinationLabel, combinationOf, peerPaths, type PathKind } from '@peerlab/contracts';
import { sampleInventory, sampleManifest } from '@peerlab/controller/testing';
import type { Client } from 'pg';
import { settleTables } from '../fixtures.js';

/** How large a farm is that has run for years. */
export interface LargeFarm {
  machines: number;
  combinations: number;
  /** Runs of a few jobs each; WIDE_RUNS more have a job for every combination. */
  runs: number;
  jobsPerRun: number;
  /** Results of an attempt. */
  tests: number;
  /** Of the longest log. */
  logLines: number;
}

/** The size that the UI is made for: ten million results. */
export const LARGE: LargeFarm = {
  machines: 2000,
  combinations: 300,
  runs: 5000,
  jobsPerRun: 4,
  tests: 500,
  logLines: 5_000_000,
};

const KINDS: readonly PathKind[] = ['BUS_ADDR', 'THRU_HOST_BRIDGE', 'NOT_SUPPORTED'];
const KERNELS = 40;
/** Runs of the whole matrix, the newest ones. */
const WIDE_RUNS = 2;
const sha = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Things of the large farm that a page is opened with. */
export interface Landmarks {
  machine: string;
  runId: string;
  otherRunId: string;
  /** Runs of all combinations. */
  wideRunIds: readonly [string, string];
  /** With results and without a log. */
  attemptId: string;
  /** With the longest log. */
  logAttemptId: string;
  suite: string;
  test: string;
}

/**
 * Fills an empty, migrated database: the same rows for the same size, because every id and verdict comes from a
 * hash of its number. Ten million results take some minutes.
 */
export async function seedLargeFarm(client: Client, size: LargeFarm, say: (text: string) => void): Promise<Landmarks> {
  await client.query('set synchronous_commit = off');
  // A hash as a UUID that says of itself that it is random.
  await client.query(
    `create function seed_id(text) returns uuid language sql immutable parallel safe
     return overlay(overlay(md5($1) placing '4' from 13) placing '8' from 17)::uuid`,
  );
  say(`${size.machines} machines of ${size.combinations} combinations`);
  await seedFleet(client, size);
  say(`${size.runs} runs`);
  await seedRuns(client, size);
  const attempts = attemptsOf(size);
  const step = Math.max(1, Math.floor(500_000 / size.tests));
  for (let from = 0; from < attempts; from += step) {
    const to = Math.min(attempts, from + step);
    await seedResults(client, size, from, to);
    say(`${(to * size.tests).toLocaleString('en-US')} results`);
  }
  // As at the end of each attempt: the controller packs what is queued.
  await client.query(`insert into unpacked_attempt (attempt_id) select id from attempt on conflict do nothing`);
  const landmarks: Landmarks = {
    machine: 'm-0',
    runId: await idOf(client, `run ${size.runs - 1}`),
    otherRunId: await idOf(client, `run ${size.runs - 2}`),
    wideRunIds: [await idOf(client, `run ${size.runs}`), await idOf(client, `run ${size.runs + 1}`)],
    attemptId: await idOf(client, `attempt ${attempts - 1}`),
    logAttemptId: await idOf(client, `attempt ${attempts - 2}`),
    suite: 'p2p-functional',
    test: 'test_7',
  };
  say(`a log of ${size.logLines.toLocaleString('en-US')} lines`);
  await seedLog(client, landmarks.logAttemptId, size.logLines);
  say('statistics');
  await settleTables(
    client,
    'machine',
    'run',
    'build',
    'job',
    'attempt',
    'participant',
    'stream',
    'result',
    'measurement',
    'log_line',
  );
  return landmarks;
}

const attemptsOf = ({ runs, jobsPerRun, combinations }: LargeFarm): number =>
  runs * jobsPerRun + WIDE_RUNS * combinations;

async function idOf(client: Client, text: string): Promise<string> {
  return (await client.query<{ id: string }>('select seed_id($1) as id', [text])).rows[0]?.id ?? '';
}

async function seedFleet(client: Client, { machines, combinations }: LargeFarm): Promise<void> {
  const kinds = KINDS.map((kind) => {
    const inventory = sampleInventory(kind);
    const path = peerPaths(inventory)[0];
    if (path === undefined) throw new Error('the sample inventory has no peer path');
    return { inventory, path, identity: combinationOf(inventory, path) };
  });
  const rows = Array.from({ length: combinations }, (_, index) => {
    const { identity } = kinds[index % kinds.length] ?? { identity: null };
    if (identity === null) throw new Error('there is no path kind');
    const own = { ...identity, provider: `${identity.provider} rev ${index}` };
    return { hash: sha(`combination ${index}`), label: combinationLabel(own), identity: own };
  });
  await client.query(
    `insert into combination (hash, label, identity)
     select hash, label, identity from jsonb_to_recordset($1) as c(hash text, label text, identity jsonb)`,
    [JSON.stringify(rows)],
  );
  await client.query(
    `insert into agent (name, site, version, capabilities, build_slots, connected, last_seen_at)
     values ('lab', 'large', '1', '{test}', 0, false, clock_timestamp())`,
  );
  await client.query(
    `insert into machine (name, agent, description, labels, reachable, last_seen_at, inventory)
     select 'm-' || n, 'lab', 'machine ' || n, '{"lab": "large"}', true, clock_timestamp(), ($2::jsonb) -> (n % 3)
     from generate_series(0, $1::int - 1) as n`,
    [machines, JSON.stringify(kinds.map(({ inventory }) => inventory))],
  );
  await client.query(
    `insert into machine_path (machine, position, combination, path)
     select 'm-' || n, 0, ($2::text[])[1 + n % $3::int], ($4::jsonb) -> (n % 3)
     from generate_series(0, $1::int - 1) as n`,
    [machines, rows.map(({ hash }) => hash), combinations, JSON.stringify(kinds.map(({ path }) => path))],
  );
}

async function seedRuns(client: Client, size: LargeFarm): Promise<void> {
  const { runs, jobsPerRun, combinations, machines } = size;
  for (let kernel = 0; kernel < KERNELS; kernel += 1) {
    const manifest = sampleManifest(`kernel ${kernel}`);
    await client.query('insert into artifact (sha256, size_bytes) values ($1, 20000000)', [sha(`bundle ${kernel}`)]);
    await client.query('insert into bundle (key, sha256, manifest) values ($1, $2, $3)', [
      sha(`key ${kernel}`),
      sha(`bundle ${kernel}`),
      manifest,
    ]);
  }
  const keys = Array.from({ length: KERNELS }, (_, kernel) => sha(`key ${kernel}`));
  const combinationKeys = Array.from({ length: combinations }, (_, index) => sha(`combination ${index}`));
  const spec = { name: 'nightly', builds: [{ name: 'patched', series: ['bundled'] }], suites: ['p2p-functional'] };
  const all = runs + WIDE_RUNS;
  await client.query(
    `insert into run (id, name, spec, state, priority, trigger_kind, trigger_detail, jobs_total, jobs_ended, verdict,
       counts, created_at, started_at, ended_at)
     select seed_id('run ' || r), 'nightly ' || r, $2, 'ended', 50, 'user', 'seeder', jobs, jobs, 'fail',
       '{"pass": 1800, "fail": 200}', t, t, t + interval '20 minutes'
     from generate_series(0, $1::int - 1) as r,
       lateral (select case when r < $4::int then $3::int else $5::int end as jobs,
         clock_timestamp() - make_interval(mins => 30 * ($1::int - r)) as t) as at`,
    [all, spec, jobsPerRun, runs, combinations],
  );
  await client.query(
    `insert into build (id, run_id, position, name, spec, state, bundle_key)
     select seed_id('build ' || r), seed_id('run ' || r), 0, 'patched', $2, 'ready',
       ($3::text[])[1 + r * $4::int / $1::int]
     from generate_series(0, $1::int - 1) as r`,
    [all, spec.builds[0], keys, KERNELS],
  );
  const attempts = attemptsOf(size);
  await client.query(
    `insert into job (id, run_id, build_id, build_name, position, kind, state, machine, combination, verdict, ended_at)
     select seed_id('job ' || n), seed_id('run ' || r), seed_id('build ' || r), 'patched',
       row_number() over (partition by r order by n) - 1, 'test', 'ended', 'm-' || (n % $5::int) % $4::int,
       ($3::text[])[1 + n % $5::int], 'fail', clock_timestamp() - make_interval(secs => $1::int - n)
     from generate_series(0, $1::int - 1) as n, lateral (
       select case when n < $6::int * $2::int then n / $2::int else $6::int + (n - $6::int * $2::int) / $5::int end as r
     ) as of`,
    [attempts, jobsPerRun, combinationKeys, machines, combinations, runs],
  );
  await client.query(
    `insert into attempt (id, job_id, number, state, started_at, ended_at)
     select seed_id('attempt ' || n), seed_id('job ' || n), 1, 'ended', j.ended_at - interval '10 minutes', j.ended_at
     from generate_series(0, $1::int - 1) as n join job j on j.id = seed_id('job ' || n)`,
    [attempts],
  );
  await client.query(
    `insert into participant (id, attempt_id, role, position, state, agent, machine, fence, nonce, restored, started_at, ended_at)
     select t.id, t.id, 'main', 0, 'ended', 'lab', j.machine, nextval('lease_fence'), repeat('0', 32), true, t.started_at,
       t.ended_at from attempt t join job j on j.id = t.job_id`,
  );
  await client.query(
    `insert into measurement (attempt_id, seq, suite, test, name, unit, better, samples, params, lower_quartile, median,
       upper_quartile)
     select seed_id('attempt ' || n), m, 'p2p-perf', 'P0' || m, 'fault_map.' || m, 'ns/page', 'lower',
       array[v, v * 1.01, v * 0.99], '{}', v * 0.99, v, v * 1.01
     from generate_series(0, $1::int - 1) as n, generate_series(1, 8) as m,
       lateral (select 400.0 * m * (1 + (hashtext(n || ' ' || m) & 255) / 5000.0) as v) as value`,
    [attempts],
  );
}

async function seedResults(client: Client, { tests }: LargeFarm, from: number, to: number): Promise<void> {
  await client.query(
    `insert into result (attempt_id, suite, test, position, status, verdict, reason, duration_ms, warnings, log)
     select seed_id('attempt ' || n), case when t <= 350 then 'p2p-functional' else 'hmm-tests' end, 'test_' || t, t,
       case when h < 2 then 'fail' when h < 12 then 'skip' else 'pass' end,
       case when h < 2 then 'fail' when h < 12 then 'skip' else 'pass' end,
       case when h < 2 then 'FAILED tests.c:' || t || ': wrong data in page ' || h when h < 12 then 'needs a second provider' end,
       (h & 63) + 0.5, '{}', jsonb_build_object('stream', 'test', 'fromSeq', t * 3, 'toSeq', t * 3 + 2)
     from generate_series($1::int, $2::int - 1) as n, generate_series(1, $3::int) as t,
       lateral (select (hashtext(n || ':' || t) & 2147483647) % 200 as h) as hash`,
    [from, to, tests],
  );
}

async function seedLog(client: Client, attemptId: string, lines: number): Promise<void> {
  await client.query(
    `insert into log_line (participant_id, stream, seq, at, text)
     select $1::uuid, 'test', s, 1763800000000 + s, format('[%s] p2pvram 0000:03:00.0: fault %s at 0x%s migrated 16 pages, alias yes',
       lpad((s / 1000.0)::numeric(12, 6)::text, 12), s, lpad(to_hex(s * 4096), 12, '0'))
     from generate_series(0, $2::bigint - 1) as s`,
    [attemptId, lines],
  );
  await client.query(
    `insert into stream (participant_id, stream, next, expected, bytes) values ($1, 'test', $2, $2, $3)`,
    [attemptId, lines, lines * 220],
  );
}
