import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The machine of a test is chosen when it starts, among those that have its combination. Jobs that have not ended keep the
 * machine that they were planned for, and the boots of a run with `repeat` are in turns on that one, as before.
 */
const UP = [
  `ALTER TABLE "job" ADD "only_machine" text`,
  `ALTER TABLE "job" ADD "labels" jsonb NOT NULL DEFAULT '{}'`,
  `ALTER TABLE "job" ADD "pair" integer NOT NULL DEFAULT 0`,
  `ALTER TABLE "job" ADD "own_suites" boolean NOT NULL DEFAULT false`,
  `ALTER TABLE "job" ADD "lane" integer`,
  `ALTER TABLE "job" ADD CONSTRAINT "job_only_machine_fkey" FOREIGN KEY ("only_machine") REFERENCES "machine" ("name")`,
  `UPDATE "job" SET "only_machine" = "machine" WHERE "kind" = 'test' AND "state" <> 'ended'`,
  `UPDATE "job" j SET "lane" = n.lane
   FROM (SELECT "id", dense_rank() OVER (PARTITION BY "run_id" ORDER BY "machine") AS lane
         FROM "job" WHERE "round" IS NOT NULL) n WHERE n."id" = j."id"`,
  `ALTER TABLE "machine_path" ADD "ordinal" integer NOT NULL DEFAULT 0`,
  `UPDATE "machine_path" p SET "ordinal" = n.ordinal
   FROM (SELECT "machine", "position", row_number() OVER (PARTITION BY "machine", "combination" ORDER BY "position") - 1 AS ordinal
         FROM "machine_path") n WHERE n."machine" = p."machine" AND n."position" = p."position"`,
  `CREATE INDEX "machine_path_combination" ON "machine_path" ("combination", "ordinal", "machine")`,
  `ALTER TABLE "agent" ADD "binds_pairs" boolean NOT NULL DEFAULT false`,
  `DROP INDEX "job_queued"`,
  `CREATE INDEX "job_queued" ON "job" ("kind", "combination", "queued_at") WHERE state = 'queued'`,
  `DROP INDEX "job_turn"`,
  `CREATE INDEX "job_turn" ON "job" ("run_id", "lane", "position") WHERE round is not null and state <> 'ended'`,
];

const DOWN = [
  `DROP INDEX "job_turn"`,
  `CREATE INDEX "job_turn" ON "job" ("run_id", "machine", "position") WHERE round is not null and state <> 'ended'`,
  `DROP INDEX "job_queued"`,
  `CREATE INDEX "job_queued" ON "job" ("kind", "machine", "queued_at") WHERE state = 'queued'`,
  `ALTER TABLE "agent" DROP COLUMN "binds_pairs"`,
  `DROP INDEX "machine_path_combination"`,
  `ALTER TABLE "machine_path" DROP COLUMN "ordinal"`,
  `UPDATE "job" SET "machine" = coalesce("machine", "only_machine") WHERE "kind" = 'test'`,
  `ALTER TABLE "job" DROP COLUMN "lane"`,
  `ALTER TABLE "job" DROP COLUMN "own_suites"`,
  `ALTER TABLE "job" DROP COLUMN "pair"`,
  `ALTER TABLE "job" DROP COLUMN "labels"`,
  `ALTER TABLE "job" DROP COLUMN "only_machine"`,
];

export class MachineAtDispatch1766300000000 implements MigrationInterface {
  name = 'MachineAtDispatch1766300000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
