import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Which failures are the same, in one place: the verdict with the title of the crash, or else with the reason, both
 * without ids, addresses and numbers, which differ from boot to boot and from kernel to kernel. Line numbers go too,
 * since they move with every patch. The hash keeps the index small; only the start of a long text counts. The
 * expressions of Postgres do not backtrack here: none has a back reference.
 */
const UP = [
  `CREATE FUNCTION failure_key(verdict text, signature text, reason text) RETURNS text
   LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
     SELECT md5(verdict || chr(10) || regexp_replace(
       left(coalesce(nullif(signature, ''), reason, ''), 1000),
       '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|0x[0-9a-f]+|\\m[0-9a-f]{8,}\\M|[0-9]+([.,][0-9]+)*', '#', 'gi'))
   $$`,
  // Passed results are most of all results, and no failure is.
  `CREATE INDEX result_failure ON result (failure_key(verdict, signature, reason), suite, test, stored_at)
   WHERE verdict <> 'pass'`,
  `CREATE TABLE known_failure (
    id uuid NOT NULL,
    suite text NOT NULL,
    test text NOT NULL,
    failure text NOT NULL,
    verdict text NOT NULL,
    reason text NOT NULL,
    by text NOT NULL,
    at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    until timestamp with time zone NOT NULL,
    ended_by text,
    ended_at timestamp with time zone,
    CONSTRAINT known_failure_pkey PRIMARY KEY (id)
  )`,
  `CREATE UNIQUE INDEX known_failure_open ON known_failure (suite, test, failure) WHERE ended_at IS NULL`,
  `CREATE INDEX known_failure_newest ON known_failure (suite, test, failure, at)`,
];

const DOWN = [`DROP TABLE known_failure`, `DROP INDEX result_failure`, `DROP FUNCTION failure_key(text, text, text)`];

export class FailureMemory1765410000000 implements MigrationInterface {
  name = 'FailureMemory1765410000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
