import type { PathKind } from '@peerlab/contracts';
import { insertBoots, type SampleEvidence } from './evidence.js';
import type { Sql } from '../platform/database/sql.js';

/**
 * Five boots of each build of a run on each of three machines with the same hardware: the one that the story has of a kind,
 * and two more, `NAME-twin` and `NAME-odd`. On the odd one `fault_map_ram` takes 30 % longer, and `thp_alias` of the series
 * fails. @returns their names
 */
export async function insertTwins(
  sql: Sql,
  { runs, hardware }: SampleEvidence,
  run: number,
  kind: PathKind,
): Promise<[string, string, string]> {
  const { machine, combination } = hardware[kind];
  const names: [string, string, string] = [machine, `${machine}-twin`, `${machine}-odd`];
  await insertBoots(sql, run, kind, 15);
  for (const name of names.slice(1)) await insertLike(sql, machine, name);
  await sql.run(
    `update job set machine = ($3::text[])[1 + round % 3] where run_id = $1 and combination = $2 and round is not null`,
    [runs[run], combination, names],
  );
  await participantsFollow(sql, runs[run]);
  await sql.run(
    `update measurement m set lower_quartile = lower_quartile * 1.3, median = median * 1.3, upper_quartile = upper_quartile * 1.3
     from attempt t join job j on j.id = t.job_id where t.id = m.attempt_id and j.machine = $1 and m.name = 'fault_map_ram'`,
    [names[2]],
  );
  await sql.run(
    `update result x set verdict = 'fail', reason = 'byte 0 differs' from attempt t join job j on j.id = t.job_id
       join build b on b.id = j.build_id
     where t.id = x.attempt_id and j.machine = $1 and x.test = 'thp_alias' and b.name = 'dma-alias'`,
    [names[2]],
  );
  return names;
}

/** The jobs of a run on the machine of a kind move to another one with the same hardware, `NAME-old`. @returns its name */
export async function moveRun(
  sql: Sql,
  { runs, hardware }: SampleEvidence,
  run: number,
  kind: PathKind,
): Promise<string> {
  const { machine, combination } = hardware[kind];
  const name = `${machine}-old`;
  await insertLike(sql, machine, name);
  await sql.run('update job set machine = $3 where run_id = $1 and combination = $2', [runs[run], combination, name]);
  await participantsFollow(sql, runs[run]);
  return name;
}

/** A machine with the hardware of another one. */
async function insertLike(sql: Sql, machine: string, name: string): Promise<void> {
  await sql.run(
    `insert into machine (name, agent, description, labels, reachable, inventory)
     select $2, agent, description, labels, reachable, inventory from machine where name = $1`,
    [machine, name],
  );
  await sql.run(
    `insert into machine_path (machine, position, combination, path)
     select $2, position, combination, path from machine_path where machine = $1`,
    [machine, name],
  );
}

const participantsFollow = (sql: Sql, run: string | undefined): Promise<number> =>
  sql.run(
    `update participant p set machine = j.machine from attempt t join job j on j.id = t.job_id
     where t.id = p.attempt_id and j.run_id = $1`,
    [run],
  );
