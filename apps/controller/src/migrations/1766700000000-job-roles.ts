import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Jobs with several machines. Such a job has a row for each role; its own columns repeat those of the first one, but its
 * combination is that of all roles, which no machine has: controllers of the version before never start it.
 */
const UP = [
  `CREATE TABLE "job_role" (
    "job_id" uuid NOT NULL,
    "position" integer NOT NULL,
    "role" text NOT NULL,
    "build_id" uuid NOT NULL,
    "build_name" text NOT NULL,
    "combination" text NOT NULL,
    "pair" integer NOT NULL DEFAULT 0,
    "only_machine" text,
    "labels" jsonb NOT NULL DEFAULT '{}',
    "own_suites" boolean NOT NULL DEFAULT false,
    "machine" text,
    "path" jsonb NOT NULL,
    "suites" text array NOT NULL,
    CONSTRAINT "job_role_pkey" PRIMARY KEY ("job_id", "position"),
    CONSTRAINT "job_role_name" UNIQUE ("job_id", "role")
  )`,
  `ALTER TABLE "job_role" ADD CONSTRAINT "job_role_job_fkey" FOREIGN KEY ("job_id") REFERENCES "job" ("id")`,
  `ALTER TABLE "job_role" ADD CONSTRAINT "job_role_build_fkey" FOREIGN KEY ("build_id") REFERENCES "build" ("id")`,
  `ALTER TABLE "job_role" ADD CONSTRAINT "job_role_combination_fkey" FOREIGN KEY ("combination") REFERENCES "combination" ("hash")`,
  `ALTER TABLE "job_role" ADD CONSTRAINT "job_role_only_machine_fkey" FOREIGN KEY ("only_machine") REFERENCES "machine" ("name")`,
  `ALTER TABLE "job_role" ADD CONSTRAINT "job_role_machine_fkey" FOREIGN KEY ("machine") REFERENCES "machine" ("name")`,
  `CREATE INDEX "job_role_build" ON "job_role" ("build_id")`,
  `CREATE INDEX "job_role_machine" ON "job_role" ("machine")`,
  `CREATE INDEX "job_role_combination" ON "job_role" ("combination")`,
  `ALTER TABLE "job" ADD "roles" integer NOT NULL DEFAULT 1`,
  `ALTER TABLE "job" ADD "same_labels" text array NOT NULL DEFAULT '{}'`,
  // What each role of a job asks for and has, also of jobs with one role.
  `CREATE VIEW "job_part" AS
   SELECT "id" AS "job_id", 0 AS "position", 'main' AS "role", "build_id", "build_name", "combination", "pair",
     "only_machine", "labels", "own_suites", "machine", "path", "suites" FROM "job" WHERE "roles" = 1
   UNION ALL
   SELECT "job_id", "position", "role", "build_id", "build_name", "combination", "pair",
     "only_machine", "labels", "own_suites", "machine", "path", "suites" FROM "job_role"`,
  // When it would have begun to wait, had its run no priority: the order of the queue, in an index.
  `ALTER TABLE "job" ADD "queue_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp()`,
  `UPDATE "job" j SET "queue_at" = j."queued_at" - r."priority" * interval '2 minutes'
   FROM "run" r WHERE r."id" = j."run_id" AND j."state" <> 'ended'`,
  `CREATE INDEX "job_line" ON "job" ("queue_at", "queued_at", "position", "id") WHERE state = 'queued'`,
  `ALTER TABLE "agent" ADD "protocol" integer NOT NULL DEFAULT 4`,
  `ALTER TABLE "attempt_file" ADD "role" text NOT NULL DEFAULT 'main'`,
  `ALTER TABLE "attempt_file" DROP CONSTRAINT "attempt_file_pkey"`,
  `ALTER TABLE "attempt_file" ADD CONSTRAINT "attempt_file_pkey" PRIMARY KEY ("attempt_id", "role", "suite", "name")`,
];

const DOWN = [
  `ALTER TABLE "attempt_file" DROP CONSTRAINT "attempt_file_pkey"`,
  `DELETE FROM "attempt_file" WHERE "role" <> 'main'`,
  `ALTER TABLE "attempt_file" ADD CONSTRAINT "attempt_file_pkey" PRIMARY KEY ("attempt_id", "suite", "name")`,
  `ALTER TABLE "attempt_file" DROP COLUMN "role"`,
  `ALTER TABLE "agent" DROP COLUMN "protocol"`,
  `DROP INDEX "job_line"`,
  `ALTER TABLE "job" DROP COLUMN "queue_at"`,
  `DROP VIEW "job_part"`,
  `ALTER TABLE "job" DROP COLUMN "same_labels"`,
  `ALTER TABLE "job" DROP COLUMN "roles"`,
  `DROP TABLE "job_role"`,
];

export class JobRoles1766700000000 implements MigrationInterface {
  name = 'JobRoles1766700000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
