import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A job's place among the boots of a run with `repeat`. Jobs that controllers of the version before store have none. */
const UP = [
  `ALTER TABLE "job" ADD "round" integer`,
  `CREATE INDEX "job_turn" ON "job" ("run_id", "machine", "position") WHERE round is not null and state <> 'ended'`,
];

const DOWN = [`DROP INDEX "job_turn"`, `ALTER TABLE "job" DROP COLUMN "round"`];

export class Repeat1765100000000 implements MigrationInterface {
  name = 'Repeat1765100000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
