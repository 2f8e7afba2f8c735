import type { Sql } from '../platform/database/sql.js';

/**
 * Adds tested kernels to a database that has the evidence of insertEvidence: `filler` builds with as many runs
 * each, on every combination of the farm, in which all tests of the suite `filler` passed. The first is
 * `filler-1`; `newer` ones are built after all others, else before them. The first `metrics` tests of the suite
 * measure something, 1 ns more with each kernel.
 */
export async function insertKernels(
  sql: Sql,
  {
    kernels,
    runs,
    tests,
    newer,
    metrics = 0,
  }: { kernels: number; runs: number; tests: number; newer: boolean; metrics?: number },
): Promise<void> {
  const key = `encode(sha256(('filler ' || n)::bytea), 'hex')`;
  await sql.run(
    `insert into bundle (key, sha256, manifest, created_at)
     select ${key}, sha256, manifest || jsonb_build_object('release', '7.3.4-filler-' || n, 'buildId', left(${key}, 40)),
       clock_timestamp() + n * interval '1 second' - $2::interval
     from generate_series(1, $1::int) n, (select * from bundle limit 1) bundle`,
    [kernels, newer ? '0 days' : '1 day'],
  );
  await sql.run(
    `insert into build (id, run_id, position, name, spec, state, bundle_key, created_at)
     select gen_random_uuid(), b.run_id, 100 + n, 'filler', b.spec, 'ready', u.key, u.created_at + n * interval '1 minute'
     from generate_series(1, $1::int) n, bundle u, (select * from build limit 1) b
     where u.manifest ->> 'release' like '%filler%'`,
    [runs],
  );
  await sql.run(
    `insert into job (id, run_id, build_id, build_name, position, kind, state, machine, combination, verdict, ended_at)
     select gen_random_uuid(), b.run_id, b.id, b.name, 0, 'test', 'ended', m.machine, m.combination, 'pass', b.created_at
     from build b, machine_path m where b.name = 'filler'`,
  );
  await sql.run(
    `insert into attempt (id, job_id, number, state, started_at, ended_at)
     select gen_random_uuid(), id, 1, 'ended', ended_at, ended_at from job where build_name = 'filler'`,
  );
  await sql.run(
    `insert into participant (id, attempt_id, role, position, state, agent, machine, fence, nonce, restored, started_at, ended_at)
     select t.id, t.id, 'main', 0, 'ended', 'story', j.machine, nextval('lease_fence'), '', true, t.started_at, t.ended_at
     from attempt t join job j on j.id = t.job_id where j.build_name = 'filler'`,
  );
  await sql.run(
    `insert into result (attempt_id, suite, test, position, status, verdict, warnings)
     select t.id, 'filler', 'test_' || n, n, 'pass', 'pass', '{}'
     from attempt t join job j on j.id = t.job_id, generate_series(1, $1::int) n where j.build_name = 'filler'`,
    [tests],
  );
  await sql.run(
    `insert into measurement (attempt_id, seq, suite, test, name, unit, better, samples, params, lower_quartile,
       median, upper_quartile)
     select t.id, n, 'filler', 'test_' || n, 'metric_' || n, 'ns', 'lower', array_fill(level.ns, array[10]), '{}',
       level.ns - 0.2, level.ns, level.ns + 0.2
     from attempt t join job j on j.id = t.job_id join build b on b.id = j.build_id join bundle u on u.key = b.bundle_key,
       lateral (select substring(u.manifest ->> 'release' from '\\d+$')::float8 as ns) level,
       generate_series(1, $1::int) n
     where j.build_name = 'filler'`,
    [metrics],
  );
  await sql.run('analyze');
}
