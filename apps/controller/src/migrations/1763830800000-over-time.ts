import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Finds what a test and a metric said over time without reading the rest. Older controllers go on beside it. */
const UP = [
  `CREATE INDEX result_history ON result (suite, test, stored_at, attempt_id)`,
  `ALTER TABLE measurement ADD stored_at timestamptz NOT NULL DEFAULT clock_timestamp()`,
  // What was measured before this was recorded: as old as the end of its attempt.
  `UPDATE measurement m SET stored_at = coalesce(t.ended_at, t.started_at) FROM attempt t WHERE t.id = m.attempt_id`,
  `CREATE INDEX measurement_trend ON measurement (suite, name, stored_at, attempt_id)`,
  `CREATE INDEX job_combination ON job (combination)`,
];

const DOWN = [
  `DROP INDEX job_combination`,
  `DROP INDEX measurement_trend`,
  `ALTER TABLE measurement DROP COLUMN stored_at`,
  `DROP INDEX result_history`,
];

export class OverTime1763830800000 implements MigrationInterface {
  name = 'OverTime1763830800000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
