import type { Client } from 'pg';

/** Copies of the tables of jobs and leases, for a loop that does nothing but claim. */
export async function createFloor(client: Client): Promise<void> {
  await client.query('create table floor_job (like job including all)');
  await client.query('insert into floor_job select * from job');
  await client.query('create table floor_lease (like lease including all)');
}

/** Takes one job and leases its machine, with nothing else that dispatch does. */
export async function claimBare(client: Client): Promise<void> {
  await client.query('begin');
  const { rows } = await client.query<{ id: string; machine: string }>(
    `select id, machine from floor_job where state = 'queued' order by queue_at, queued_at, position, id limit 1
     for update skip locked`,
  );
  const job = rows[0];
  if (job === undefined) throw new Error('the floor found no queued job');
  await client.query(`update floor_job set state = 'running' where id = $1`, [job.id]);
  await client.query(
    `insert into floor_lease (fence, participant_id, agent, machine, expires_at)
     values (nextval('lease_fence'), $1, 'dispatch', $2, clock_timestamp() + interval '30 s')
     on conflict do nothing`,
    [job.id, job.machine],
  );
  await client.query('commit');
}
