import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The roles of each job by a join and not a union, so that those of one job are found by its key. */
const UP = `
  CREATE OR REPLACE VIEW "job_part" AS
  SELECT j."id" AS "job_id", coalesce(o."position", 0) AS "position", coalesce(o."role", 'main') AS "role",
    coalesce(o."build_id", j."build_id") AS "build_id", coalesce(o."build_name", j."build_name") AS "build_name",
    coalesce(o."combination", j."combination") AS "combination", coalesce(o."pair", j."pair") AS "pair",
    CASE WHEN o."job_id" IS NULL THEN j."only_machine" ELSE o."only_machine" END AS "only_machine",
    coalesce(o."labels", j."labels") AS "labels", coalesce(o."own_suites", j."own_suites") AS "own_suites",
    CASE WHEN o."job_id" IS NULL THEN j."machine" ELSE o."machine" END AS "machine",
    coalesce(o."path", j."path") AS "path", coalesce(o."suites", j."suites") AS "suites"
  FROM "job" j LEFT JOIN "job_role" o ON o."job_id" = j."id"`;

const DOWN = `
  CREATE OR REPLACE VIEW "job_part" AS
  SELECT "id" AS "job_id", 0 AS "position", 'main' AS "role", "build_id", "build_name", "combination", "pair",
    "only_machine", "labels", "own_suites", "machine", "path", "suites" FROM "job" WHERE "roles" = 1
  UNION ALL
  SELECT "job_id", "position", "role", "build_id", "build_name", "combination", "pair",
    "only_machine", "labels", "own_suites", "machine", "path", "suites" FROM "job_role"`;

export class JobPart1766700100000 implements MigrationInterface {
  name = 'JobPart1766700100000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(UP);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(DOWN);
  }
}
