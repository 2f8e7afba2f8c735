import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Finds attempts that failed in the same way (failure_key), as result_failure finds results. */
const UP = [
  `CREATE INDEX attempt_failure ON attempt
   (failure_key(failure ->> 'class', failure ->> 'signature', failure ->> 'message'), started_at)
   WHERE failure IS NOT NULL`,
];

const DOWN = [`DROP INDEX attempt_failure`];

export class AttemptFailures1766100000000 implements MigrationInterface {
  name = 'AttemptFailures1766100000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
