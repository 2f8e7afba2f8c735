import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Failures of a suite that are known on all kernels of one base. */
const UP = [
  `CREATE TABLE baseline (
    id uuid NOT NULL,
    suite text NOT NULL,
    base text NOT NULL,
    base_version text NOT NULL,
    attempt_id uuid NOT NULL,
    reason text NOT NULL,
    by text NOT NULL,
    at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    until timestamp with time zone NOT NULL,
    ended_by text,
    ended_at timestamp with time zone,
    CONSTRAINT baseline_pkey PRIMARY KEY (id)
  )`,
  `CREATE UNIQUE INDEX baseline_open ON baseline (suite, base) WHERE ended_at is null`,
  `CREATE TABLE baseline_failure (
    baseline_id uuid NOT NULL,
    test text NOT NULL,
    failure text NOT NULL,
    CONSTRAINT baseline_failure_pkey PRIMARY KEY (baseline_id, test, failure)
  )`,
  `ALTER TABLE baseline_failure ADD CONSTRAINT baseline_failure_baseline_fkey FOREIGN KEY (baseline_id) REFERENCES baseline(id)`,
  `CREATE INDEX baseline_failure_key ON baseline_failure (failure)`,
];

export class Baselines1767200100000 implements MigrationInterface {
  name = 'Baselines1767200100000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE baseline_failure');
    await queryRunner.query('DROP TABLE baseline');
  }
}
