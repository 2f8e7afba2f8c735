import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Generated from the entities; the drift test keeps both equal. Fences come from a sequence of their own. */
const UP = [
  `CREATE SEQUENCE lease_fence`,
  `CREATE TABLE agent (
    name text NOT NULL,
    site text NOT NULL,
    version text NOT NULL,
    capabilities text array NOT NULL,
    build_slots integer NOT NULL,
    connected boolean NOT NULL,
    connection uuid,
    last_seen_at timestamptz NOT NULL,
    CONSTRAINT agent_pkey PRIMARY KEY (name)
  )`,
  `CREATE TABLE machine (
    name text NOT NULL,
    agent text NOT NULL,
    description text NOT NULL,
    labels jsonb NOT NULL,
    desired text NOT NULL DEFAULT 'active',
    desired_reason text,
    reachable boolean NOT NULL,
    problem text,
    last_seen_at timestamptz,
    inventory jsonb,
    CONSTRAINT machine_pkey PRIMARY KEY (name)
  )`,
  `CREATE TABLE combination (
    hash text NOT NULL,
    label text NOT NULL,
    identity jsonb NOT NULL,
    CONSTRAINT combination_pkey PRIMARY KEY (hash)
  )`,
  `CREATE TABLE machine_path (
    machine text NOT NULL,
    position integer NOT NULL,
    combination text NOT NULL,
    path jsonb NOT NULL,
    CONSTRAINT machine_path_pkey PRIMARY KEY (machine, position)
  )`,
  `CREATE TABLE run (
    id uuid NOT NULL,
    name text NOT NULL,
    spec jsonb NOT NULL,
    yaml text,
    state text NOT NULL,
    priority integer NOT NULL,
    trigger_kind text NOT NULL,
    trigger_detail text NOT NULL,
    cancel_requested boolean NOT NULL DEFAULT false,
    verdict text,
    counts jsonb NOT NULL DEFAULT '{}',
    jobs_total integer NOT NULL,
    jobs_ended integer NOT NULL DEFAULT '0',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    ended_at timestamptz,
    CONSTRAINT run_pkey PRIMARY KEY (id)
  )`,
  `CREATE INDEX run_created ON run (created_at)`,
  `CREATE TABLE job (
    id uuid NOT NULL,
    run_id uuid NOT NULL,
    build_id uuid NOT NULL,
    position integer NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    machine text,
    combination text,
    path jsonb,
    verdict text,
    note text,
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    not_before timestamptz,
    ended_at timestamptz,
    CONSTRAINT job_pkey PRIMARY KEY (id)
  )`,
  `CREATE INDEX job_newest ON job (combination, ended_at) WHERE state = 'ended'`,
  `CREATE INDEX job_queued ON job (kind, machine, queued_at) WHERE state = 'queued'`,
  `CREATE INDEX job_build ON job (build_id)`,
  `CREATE INDEX job_run ON job (run_id)`,
  `CREATE TABLE artifact (
    sha256 text NOT NULL,
    size_bytes bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT artifact_pkey PRIMARY KEY (sha256)
  )`,
  `CREATE TABLE bundle (
    key text NOT NULL,
    sha256 text NOT NULL,
    manifest jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT bundle_pkey PRIMARY KEY (key)
  )`,
  `CREATE TABLE build (
    id uuid NOT NULL,
    run_id uuid NOT NULL,
    position integer NOT NULL,
    name text NOT NULL,
    spec jsonb NOT NULL,
    state text NOT NULL,
    bundle_key text,
    error jsonb,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT build_pkey PRIMARY KEY (id)
  )`,
  `CREATE INDEX build_run ON build (run_id)`,
  `CREATE TABLE attempt (
    id uuid NOT NULL,
    job_id uuid NOT NULL,
    number integer NOT NULL,
    state text NOT NULL,
    agent text NOT NULL,
    machine text,
    fence bigint NOT NULL,
    nonce text NOT NULL,
    failure jsonb,
    restored boolean,
    progress jsonb,
    revoked_at timestamptz,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    CONSTRAINT attempt_job_number UNIQUE (job_id, number),
    CONSTRAINT attempt_pkey PRIMARY KEY (id)
  )`,
  `CREATE INDEX attempt_open ON attempt (agent) WHERE state <> 'ended'`,
  `CREATE TABLE lease (
    fence bigint NOT NULL,
    attempt_id uuid NOT NULL,
    agent text NOT NULL,
    machine text,
    slot integer,
    acquired_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    released_at timestamptz,
    CONSTRAINT lease_pkey PRIMARY KEY (fence)
  )`,
  `CREATE INDEX lease_attempt ON lease (attempt_id)`,
  `CREATE UNIQUE INDEX lease_slot_active ON lease (agent, slot) WHERE released_at is null and machine is null`,
  `CREATE UNIQUE INDEX lease_machine_active ON lease (machine) WHERE released_at is null`,
  `CREATE TABLE webhook_delivery (
    source text NOT NULL,
    delivery_id text NOT NULL,
    run_id uuid,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT webhook_delivery_pkey PRIMARY KEY (source, delivery_id)
  )`,
  `CREATE TABLE stream (
    attempt_id uuid NOT NULL,
    stream text NOT NULL,
    next bigint NOT NULL DEFAULT '0',
    expected bigint,
    CONSTRAINT stream_pkey PRIMARY KEY (attempt_id, stream)
  )`,
  `CREATE TABLE log_line (
    attempt_id uuid NOT NULL,
    stream text NOT NULL,
    seq bigint NOT NULL,
    at bigint NOT NULL,
    text text NOT NULL,
    CONSTRAINT log_line_pkey PRIMARY KEY (attempt_id, stream, seq)
  )`,
  `CREATE TABLE token (
    id uuid NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    hash text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoked_at timestamptz,
    CONSTRAINT token_hash UNIQUE (hash),
    CONSTRAINT token_pkey PRIMARY KEY (id)
  )`,
  `CREATE TABLE attempt_stage (
    attempt_id uuid NOT NULL,
    stage text NOT NULL,
    status text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    detail text,
    CONSTRAINT attempt_stage_pkey PRIMARY KEY (attempt_id, stage)
  )`,
  `CREATE TABLE attempt_kernel (
    attempt_id uuid NOT NULL,
    seq integer NOT NULL,
    sighting jsonb NOT NULL,
    CONSTRAINT attempt_kernel_pkey PRIMARY KEY (attempt_id, seq)
  )`,
  `CREATE TABLE planned_test (
    attempt_id uuid NOT NULL,
    suite text NOT NULL,
    test text NOT NULL,
    position integer NOT NULL,
    CONSTRAINT planned_test_pkey PRIMARY KEY (attempt_id, suite, test)
  )`,
  `CREATE TABLE result (
    attempt_id uuid NOT NULL,
    suite text NOT NULL,
    test text NOT NULL,
    position integer NOT NULL,
    status text NOT NULL,
    verdict text NOT NULL,
    reason text,
    duration_ms double precision,
    proof jsonb,
    warnings text array NOT NULL,
    signature text,
    log jsonb,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT result_pkey PRIMARY KEY (attempt_id, suite, test)
  )`,
  `CREATE TABLE measurement (
    attempt_id uuid NOT NULL,
    seq integer NOT NULL,
    suite text NOT NULL,
    test text NOT NULL,
    name text NOT NULL,
    unit text NOT NULL,
    better text NOT NULL,
    samples double precision array NOT NULL,
    params jsonb NOT NULL,
    lower_quartile double precision NOT NULL,
    median double precision NOT NULL,
    upper_quartile double precision NOT NULL,
    CONSTRAINT measurement_pkey PRIMARY KEY (attempt_id, seq)
  )`,
  `ALTER TABLE machine ADD CONSTRAINT machine_agent_fkey FOREIGN KEY (agent) REFERENCES agent(name)`,
  `ALTER TABLE machine_path ADD CONSTRAINT machine_path_machine_fkey FOREIGN KEY (machine) REFERENCES machine(name)`,
  `ALTER TABLE machine_path ADD CONSTRAINT machine_path_combination_fkey FOREIGN KEY (combination) REFERENCES combination(hash)`,
  `ALTER TABLE job ADD CONSTRAINT job_run_fkey FOREIGN KEY (run_id) REFERENCES run(id)`,
  `ALTER TABLE job ADD CONSTRAINT job_build_fkey FOREIGN KEY (build_id) REFERENCES build(id)`,
  `ALTER TABLE job ADD CONSTRAINT job_machine_fkey FOREIGN KEY (machine) REFERENCES machine(name)`,
  `ALTER TABLE job ADD CONSTRAINT job_combination_fkey FOREIGN KEY (combination) REFERENCES combination(hash)`,
  `ALTER TABLE bundle ADD CONSTRAINT bundle_artifact_fkey FOREIGN KEY (sha256) REFERENCES artifact(sha256)`,
  `ALTER TABLE build ADD CONSTRAINT build_run_fkey FOREIGN KEY (run_id) REFERENCES run(id)`,
  `ALTER TABLE build ADD CONSTRAINT build_bundle_fkey FOREIGN KEY (bundle_key) REFERENCES bundle(key)`,
  `ALTER TABLE attempt ADD CONSTRAINT attempt_job_fkey FOREIGN KEY (job_id) REFERENCES job(id)`,
  `ALTER TABLE attempt ADD CONSTRAINT attempt_agent_fkey FOREIGN KEY (agent) REFERENCES agent(name)`,
  `ALTER TABLE attempt ADD CONSTRAINT attempt_machine_fkey FOREIGN KEY (machine) REFERENCES machine(name)`,
  `ALTER TABLE lease ADD CONSTRAINT lease_attempt_fkey FOREIGN KEY (attempt_id) REFERENCES attempt(id)`,
  `ALTER TABLE lease ADD CONSTRAINT lease_agent_fkey FOREIGN KEY (agent) REFERENCES agent(name)`,
  `ALTER TABLE lease ADD CONSTRAINT lease_machine_fkey FOREIGN KEY (machine) REFERENCES machine(name)`,
  `ALTER TABLE webhook_delivery ADD CONSTRAINT webhook_delivery_run_fkey FOREIGN KEY (run_id) REFERENCES run(id)`,
  `ALTER TABLE stream ADD CONSTRAINT stream_attempt_fkey FOREIGN KEY (attempt_id) REFERENCES attempt(id)`,
  `ALTER TABLE attempt_stage ADD CONSTRAINT attempt_stage_attempt_fkey FOREIGN KEY (attempt_id) REFERENCES attempt(id)`,
  `ALTER TABLE attempt_kernel ADD CONSTRAINT attempt_kernel_attempt_fkey FOREIGN KEY (attempt_id) REFERENCES attempt(id)`,
  `ALTER TABLE planned_test ADD CONSTRAINT planned_test_attempt_fkey FOREIGN KEY (attempt_id) REFERENCES attempt(id)`,
  `ALTER TABLE result ADD CONSTRAINT result_attempt_fkey FOREIGN KEY (attempt_id) REFERENCES attempt(id)`,
  `ALTER TABLE measurement ADD CONSTRAINT measurement_attempt_fkey FOREIGN KEY (attempt_id) REFERENCES attempt(id)`,
];

export class Initial1763800000000 implements MigrationInterface {
  name = 'Initial1763800000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error('the first migration is not undone; drop the database instead');
  }
}
