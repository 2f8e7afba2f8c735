import { createHash, randomUUID } from 'node:crypto';
import { combinationLabel, combinationOf, peerPaths, RunSpec, type CombinationIdentity } from '@peerlab/contracts';
import { sampleInventory, sampleManifest } from '@peerlab/controller/testing';
import type { Client } from 'pg';

const sha = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Jobs of one run, each on a machine and a hardware combination of its own. */
export interface RunFixture {
  runId: string;
  jobIds: string[];
}

/** What the pages and the dispatcher read of one machine's hardware. */
function sampleHardware(): { path: object; identity: CombinationIdentity } {
  const inventory = sampleInventory('BUS_ADDR');
  const path = peerPaths(inventory)[0];
  if (path === undefined) throw new Error('the sample inventory has no peer path');
  return { path, identity: combinationOf(inventory, path) };
}

/**
 * A run with one ready build and a test job in `state` for every machine. The machines must be known
 * to the controller already, as an agent's hello makes them.
 */
export async function insertRun(
  client: Client,
  name: string,
  machines: readonly string[],
  state: 'blocked' | 'ended',
): Promise<RunFixture> {
  const manifest = sampleManifest(name);
  const bundle = sha(`bundle ${name}`);
  const [runId, buildId] = [randomUUID(), randomUUID()];
  const build = { name: 'patched', bundle };
  const spec = RunSpec.parse({ name, builds: [build], suites: manifest.suites.map((suite) => suite.name) });
  await client.query('insert into artifact (sha256, size_bytes) values ($1, 1)', [bundle]);
  await client.query('insert into bundle (key, sha256, manifest) values ($1, $2, $3)', [
    manifest.key,
    bundle,
    manifest,
  ]);
  await client.query(
    `insert into run (id, name, spec, state, priority, trigger_kind, trigger_detail, jobs_total, verdict)
     values ($1, $2, $3, $4, 50, 'user', 'bench', $5, $6)`,
    [runId, name, spec, state === 'ended' ? 'ended' : 'queued', machines.length, state === 'ended' ? 'pass' : null],
  );
  await client.query(
    `insert into build (id, run_id, position, name, spec, state, bundle_key) values ($1, $2, 0, 'patched', $3, 'ready', $4)`,
    [buildId, runId, build, manifest.key],
  );
  const { path, identity } = sampleHardware();
  const jobs = machines.map((machine, position) => {
    const own = { ...identity, provider: `${identity.provider} ${machine}` };
    return {
      id: randomUUID(),
      position,
      machine,
      combination: sha(JSON.stringify(own)),
      label: combinationLabel(own),
      identity: own,
    };
  });
  await client.query(
    `insert into combination (hash, label, identity)
     select combination, label, identity from jsonb_to_recordset($1) as c(combination text, label text, identity jsonb)
     on conflict do nothing`,
    [JSON.stringify(jobs)],
  );
  await client.query(
    `insert into machine_path (machine, position, combination, path)
     select j.machine, (select count(*) from machine_path p where p.machine = j.machine), j.combination, $2
     from jsonb_to_recordset($1) as j(machine text, combination text) join machine m on m.name = j.machine
     where not exists (select 1 from machine_path p where p.machine = j.machine and p.combination = j.combination)`,
    [JSON.stringify(jobs), path],
  );
  const ended = state === 'ended';
  await client.query(
    `insert into job (id, run_id, build_id, build_name, position, kind, state, machine, combination, path, verdict, ended_at)
     select id, $2, $3, 'patched', position, 'test', $4, machine, combination, $5, case when $6 then 'pass' end,
       case when $6 then clock_timestamp() end
     from jsonb_to_recordset($1) as j(id uuid, position int, machine text, combination text)`,
    [JSON.stringify(jobs), runId, buildId, state, path, ended],
  );
  return { runId, jobIds: jobs.map(({ id }) => id) };
}

/** An ended attempt for every job of a run, with its stream counters; returns the attempts' ids in order of the jobs. */
export async function insertEndedAttempts(
  client: Client,
  { jobIds }: RunFixture,
  agent: string,
  lines = 0,
): Promise<string[]> {
  const attemptIds = jobIds.map(() => randomUUID());
  await client.query(
    `insert into attempt (id, job_id, number, state, ended_at)
     select a.id, a.job_id, 1, 'ended', clock_timestamp() from unnest($1::uuid[], $2::uuid[]) as a(id, job_id)`,
    [attemptIds, jobIds],
  );
  await client.query(
    `insert into participant (id, attempt_id, role, position, state, agent, machine, fence, nonce, restored, ended_at)
     select t.id, t.id, 'main', 0, 'ended', $2, j.machine, nextval('lease_fence'), repeat('0', 32), true, t.ended_at
     from attempt t join job j on j.id = t.job_id where t.id = any($1)`,
    [attemptIds, agent],
  );
  await client.query(
    `insert into stream (participant_id, stream, next, expected) select unnest($1::uuid[]), 'test', $2::bigint, $2::bigint`,
    [attemptIds, lines],
  );
  return attemptIds;
}

/** Puts jobs into the queue and wakes the dispatcher, in one transaction, as a finished build does. */
export async function queueJobs(client: Client, jobIds: readonly string[]): Promise<void> {
  await client.query('begin');
  await client.query(
    `update job set state = 'queued', queued_at = clock_timestamp(), queue_at = clock_timestamp() where id = any($1)`,
    [jobIds],
  );
  await client.query(`select pg_notify('peerlab', '{"type":"dispatch"}')`);
  await client.query('commit');
}

/** Planner statistics and visibility, which autovacuum would bring a minute later. */
export async function settleTables(client: Client, ...tables: string[]): Promise<void> {
  for (const table of tables) await client.query(`vacuum (analyze) ${table}`);
}
