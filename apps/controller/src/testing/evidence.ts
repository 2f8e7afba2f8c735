import { createHash } from 'node:crypto';
import { canonicalJson, combinationLabel, combinationOf, peerPaths, RunSpec, type PathKind } from '@peerlab/contracts';
import type { Sql } from '../platform/database/sql.js';
import { quartiles } from '../verdicts/statistics.js';
import {
  STORY_BUILDS,
  STORY_KINDS,
  STORY_METRICS_SUITE,
  STORY_SUITE,
  STORY_TESTS,
  storyKernel,
  storyMetrics,
  storyVerdict,
} from './evidence-story.js';
import { sampleInventory, sampleManifest } from './samples.js';

const sha = (text: string): string => createHash('sha256').update(text).digest('hex');
const HOUR_MS = 3_600_000;
const LINES_PER_TEST = 4;

export interface SampleEvidence {
  /** Run ids, oldest first. */
  runs: string[];
  /** By path kind: hash of the combination and name of its machine. */
  hardware: Record<PathKind, { combination: string; machine: string }>;
  /** Id of the attempt of a run (from 0) by build and path kind. */
  attempt: (run: number, build: string, kind: PathKind) => string;
}

/** The same id for the same name: evidence is the same in every database. */
function idOf(name: string): string {
  const hex = sha(name);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Writes `count` ended runs, an hour apart and the newest ended an hour ago, as evidence-story.ts tells them. */
export async function insertEvidence(sql: Sql, count: number): Promise<SampleEvidence> {
  const hardware = await insertHardware(sql);
  const runs: string[] = [];
  for (let run = 0; run < count; run += 1) {
    runs.push(idOf(`run ${run}`));
    await insertRun(sql, run, hardware, Date.now() - (count - run) * HOUR_MS);
  }
  return { runs, hardware, attempt: attemptId };
}

function attemptId(run: number, build: string, kind: PathKind): string {
  return idOf(`attempt ${run} ${build} ${kind}`);
}

/**
 * Boots the builds of an ended run again on the machine of a path kind, as a run with `repeat` does: `count` boots of each in
 * all. The same results without logs, and the same numbers, each boot up to 2 % off; returns the attempts by build.
 */
export async function insertBoots(
  sql: Sql,
  run: number,
  kind: PathKind,
  count: number,
): Promise<Map<string, string[]>> {
  const attempts = new Map(STORY_BUILDS.map((build) => [build as string, [attemptId(run, build, kind)]]));
  await sql.run(`update run set spec = jsonb_set(spec, '{repeat}', to_jsonb($2::int)) where id = $1`, [
    idOf(`run ${run}`),
    count,
  ]);
  await sql.run(`update job set round = 1 where id = any($1)`, [
    STORY_BUILDS.map((build) => idOf(`job ${run} ${build} ${kind}`)),
  ]);
  for (const build of STORY_BUILDS) {
    for (let boot = 2; boot <= count; boot += 1) {
      const [job, attempt] = [
        idOf(`job ${run} ${build} ${kind} ${boot}`),
        idOf(`attempt ${run} ${build} ${kind} ${boot}`),
      ];
      const first = idOf(`job ${run} ${build} ${kind}`);
      await sql.run(
        `insert into job (id, run_id, build_id, position, kind, state, machine, combination, verdict, ended_at, round)
         select $2, run_id, build_id, position + 100 * $3, kind, state, machine, combination, verdict, ended_at, $3
         from job where id = $1`,
        [first, job, boot],
      );
      await sql.run(
        `insert into attempt (id, job_id, number, state, started_at, ended_at)
         select $3, $2, number, state, started_at, ended_at from attempt where job_id = $1`,
        [first, job, attempt],
      );
      await insertSoleParticipants(sql, [attempt]);
      await sql.run(
        `insert into result (attempt_id, suite, test, position, status, verdict, reason, duration_ms, warnings, stored_at)
         select $2, suite, test, position, status, verdict, reason, duration_ms, warnings, stored_at
         from result where attempt_id = $1`,
        [attemptId(run, build, kind), attempt],
      );
      // Up to 2 % off, in turns above and below, and each build the other way.
      const factor = 1 + ((build === 'base' ? 1 : -1) * (boot % 2 === 0 ? boot : -boot)) / 250;
      await sql.run(
        `insert into measurement (attempt_id, seq, suite, test, name, unit, better, samples, params, lower_quartile,
           median, upper_quartile, stored_at)
         select $2, seq, suite, test, name, unit, better, samples, params, lower_quartile * $3, median * $3,
           upper_quartile * $3, stored_at from measurement where attempt_id = $1`,
        [attemptId(run, build, kind), attempt, factor],
      );
      attempts.get(build)?.push(attempt);
    }
  }
  return attempts;
}

async function insertHardware(sql: Sql): Promise<SampleEvidence['hardware']> {
  await sql.run(
    `insert into agent (name, site, version, capabilities, build_slots, connected, last_seen_at)
     values ('story', 'virtual', '0.1.0', '{test}', 0, false, clock_timestamp())`,
  );
  const rows = STORY_KINDS.map((kind) => {
    const inventory = sampleInventory(kind);
    const path = peerPaths(inventory)[0];
    if (path === undefined) throw new Error('the sample inventory has no peer path');
    const identity = combinationOf(inventory, path);
    const machine = `story-${kind.toLowerCase().replaceAll('_', '-')}`;
    return { kind, machine, inventory, path, identity, combination: sha(canonicalJson(identity)) };
  });
  for (const { machine, inventory, path, identity, combination } of rows) {
    await sql.run(
      `insert into machine (name, agent, description, labels, reachable, inventory) values ($1, 'story', '', '{}', true, $2)`,
      [machine, inventory],
    );
    await sql.run('insert into combination (hash, label, identity) values ($1, $2, $3) on conflict do nothing', [
      combination,
      combinationLabel(identity),
      identity,
    ]);
    await sql.run('insert into machine_path (machine, position, combination, path) values ($1, 0, $2, $3)', [
      machine,
      combination,
      path,
    ]);
  }
  return Object.fromEntries(
    rows.map(({ kind, combination, machine }) => [kind, { combination, machine }]),
  ) as SampleEvidence['hardware'];
}

async function insertRun(sql: Sql, run: number, hardware: SampleEvidence['hardware'], at: number): Promise<void> {
  const runId = idOf(`run ${run}`);
  const name = `dma_alias, take ${run + 1}`;
  const spec = RunSpec.parse({
    name,
    builds: STORY_BUILDS.map((build) => ({ name: build, series: [] })),
    suites: [STORY_SUITE],
  });
  const [started, ended] = [new Date(at - 600_000), new Date(at)];
  const counts: Record<string, number> = {};
  await sql.run(
    `insert into run (id, name, spec, state, priority, trigger_kind, trigger_detail, jobs_total, jobs_ended, verdict,
       created_at, started_at, ended_at)
     values ($1, $2, $3, 'ended', 50, 'user', 'story', $4, $4, 'bounced', $5, $5, $6)`,
    [runId, name, spec, STORY_BUILDS.length * STORY_KINDS.length, started, ended],
  );
  for (const [position, build] of STORY_BUILDS.entries()) {
    await insertBuild(sql, run, build, position);
    for (const [index, kind] of STORY_KINDS.entries()) {
      const jobId = idOf(`job ${run} ${build} ${kind}`);
      const { combination, machine } = hardware[kind];
      await sql.run(
        `insert into job (id, run_id, build_id, position, kind, state, machine, combination, verdict, ended_at)
         values ($1, $2, $3, $4, 'test', 'ended', $5, $6, 'pass', $7)`,
        [jobId, runId, idOf(`build ${run} ${build}`), position * 10 + index, machine, combination, ended],
      );
      await sql.run(
        `insert into attempt (id, job_id, number, state, started_at, ended_at) values ($1, $2, 1, 'ended', $3, $4)`,
        [attemptId(run, build, kind), jobId, started, ended],
      );
      await insertSoleParticipants(sql, [attemptId(run, build, kind)]);
      await insertResults(sql, { run, build, kind }, ended, counts);
      await insertMeasurements(sql, { run, build, kind }, ended);
    }
  }
  await sql.run('update run set counts = $2 where id = $1', [runId, counts]);
}

/** The one participant of each of these attempts, on the machine of its job. */
export async function insertSoleParticipants(
  sql: { run: (text: string, values: unknown[]) => Promise<unknown> },
  attemptIds: readonly string[],
  agent = 'story',
): Promise<void> {
  await sql.run(
    `insert into participant (id, attempt_id, role, position, state, agent, machine, fence, nonce, restored, started_at, ended_at)
     select t.id, t.id, 'main', 0, t.state, $2, j.machine, nextval('lease_fence'), repeat('0', 32), true, t.started_at,
       t.ended_at
     from attempt t join job j on j.id = t.job_id where t.id = any($1)`,
    [attemptIds, agent],
  );
}

async function insertBuild(sql: Sql, run: number, build: (typeof STORY_BUILDS)[number], position: number) {
  const manifest = sampleManifest(storyKernel({ run, build }), build !== 'base');
  const file = sha(`bundle ${manifest.key}`);
  await sql.run('insert into artifact (sha256, size_bytes) values ($1, 1) on conflict do nothing', [file]);
  await sql.run('insert into bundle (key, sha256, manifest) values ($1, $2, $3) on conflict do nothing', [
    manifest.key,
    file,
    manifest,
  ]);
  await sql.run(
    `insert into build (id, run_id, position, name, spec, state, bundle_key) values ($1, $2, $3, $4, $5, 'ready', $6)`,
    [
      idOf(`build ${run} ${build}`),
      idOf(`run ${run}`),
      position,
      build,
      { name: build, bundle: manifest.key },
      manifest.key,
    ],
  );
}

type Place = Parameters<typeof storyMetrics>[0];

/** Results with four log lines each; `counts` grows by their verdicts. */
async function insertResults(sql: Sql, place: Place, at: Date, counts: Record<string, number>): Promise<void> {
  const id = attemptId(place.run, place.build, place.kind);
  const rows = STORY_TESTS.map((test, position) => {
    const [verdict, reason] = storyVerdict(test, place);
    counts[verdict] = (counts[verdict] ?? 0) + 1;
    const fromSeq = position * LINES_PER_TEST;
    const ran = verdict !== 'infra' && verdict !== 'not-reached';
    return {
      test,
      position: 10_000 + position,
      status: verdict === 'bounced' ? 'pass' : ran ? verdict : 'not-reached',
      verdict,
      reason,
      duration_ms: ran ? 40 + position * 23.5 : null,
      log: ran ? { stream: 'test', fromSeq, toSeq: fromSeq + LINES_PER_TEST - 1 } : null,
    };
  });
  await sql.run(
    `insert into result (attempt_id, suite, test, position, status, verdict, reason, duration_ms, log, warnings, stored_at)
     select $1, $2, test, position, status, verdict, reason, duration_ms, nullif(log, 'null'), '{}', $4
     from jsonb_to_recordset($3) as r(test text, position int, status text, verdict text, reason text,
       duration_ms float8, log jsonb)`,
    [id, STORY_SUITE, JSON.stringify(rows), at],
  );
  const lines = STORY_TESTS.flatMap((test) => [`# test: ${test}`, `# step 1`, `# step 2`, `ok ${test}`]);
  await sql.run(`insert into stream (participant_id, stream, next, expected) values ($1, 'test', $2, $2)`, [
    id,
    lines.length,
  ]);
  await sql.run(
    `insert into log_line (participant_id, stream, seq, at, text)
     select $1, 'test', place - 1, 1763800000000 + place, text from unnest($2::text[]) with ordinality as l(text, place)`,
    [id, lines],
  );
}

async function insertMeasurements(sql: Sql, place: Place, at: Date): Promise<void> {
  const id = attemptId(place.run, place.build, place.kind);
  for (const [seq, { name, unit, better, samples }] of storyMetrics(place).entries()) {
    const { lowerQuartile, median, upperQuartile } = quartiles(samples);
    await sql.run(
      `insert into measurement (attempt_id, seq, suite, test, name, unit, better, samples, params, lower_quartile,
         median, upper_quartile, stored_at) values ($1, $2, $3, $4, $4, $5, $6, $7, '{}', $8, $9, $10, $11)`,
      [id, seq, STORY_METRICS_SUITE, name, unit, better, samples, lowerQuartile, median, upperQuartile, at],
    );
  }
}
