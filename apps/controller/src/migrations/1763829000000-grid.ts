import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The grid in one look: of every ended attempt its verdicts as one string for each suite, and the newest job of a
 * combination and build by an index alone.
 */
const UP = [
  `CREATE TABLE test_plan (
    hash text NOT NULL,
    suite text NOT NULL,
    tests text array NOT NULL,
    positions integer array NOT NULL,
    CONSTRAINT test_plan_pkey PRIMARY KEY (hash)
  )`,
  `CREATE TABLE attempt_verdicts (
    attempt_id uuid NOT NULL,
    suite text NOT NULL,
    plan text NOT NULL,
    verdicts text NOT NULL,
    reasons jsonb NOT NULL,
    newest timestamptz NOT NULL,
    CONSTRAINT attempt_verdicts_pkey PRIMARY KEY (attempt_id, suite)
  )`,
  `ALTER TABLE attempt_verdicts ADD CONSTRAINT attempt_verdicts_attempt_fkey FOREIGN KEY (attempt_id) REFERENCES attempt(id)`,
  `ALTER TABLE attempt_verdicts ADD CONSTRAINT attempt_verdicts_plan_fkey FOREIGN KEY (plan) REFERENCES test_plan(hash)`,
  `ALTER TABLE job ADD build_name text NOT NULL DEFAULT ''`,
  `UPDATE job j SET build_name = b.name FROM build b WHERE b.id = j.build_id`,
  `DROP INDEX job_newest`,
  `CREATE INDEX job_newest ON job (combination, build_name, ended_at)
   WHERE state = 'ended' and kind = 'test' and verdict <> 'canceled'`,
];

const DOWN = [
  `DROP INDEX job_newest`,
  `CREATE INDEX job_newest ON job (combination, ended_at) WHERE state = 'ended'`,
  `ALTER TABLE job DROP COLUMN build_name`,
  `DROP TABLE attempt_verdicts`,
  `DROP TABLE test_plan`,
];

export class Grid1763829000000 implements MigrationInterface {
  name = 'Grid1763829000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
