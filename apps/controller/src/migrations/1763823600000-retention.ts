import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Gaps and parts of long lines in logs; what evidence weighs, what was removed of it and what is kept for ever. */
const UP = [
  `ALTER TABLE log_line ADD continues boolean`,
  `ALTER TABLE log_line ADD gap jsonb`,
  `ALTER TABLE stream ADD bytes bigint NOT NULL DEFAULT '0'`,
  `ALTER TABLE stream ADD removed_at timestamptz`,
  `UPDATE stream s SET bytes = w.bytes
   FROM (SELECT attempt_id, stream, sum(octet_length(text) + 120) AS bytes FROM log_line GROUP BY 1, 2) w
   WHERE w.attempt_id = s.attempt_id AND w.stream = s.stream`,
  `ALTER TABLE artifact ADD removed_at timestamptz`,
  `CREATE TABLE run_pin (
    run_id uuid NOT NULL,
    pinned_by text NOT NULL,
    reason text,
    pinned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT run_pin_pkey PRIMARY KEY (run_id)
  )`,
  `CREATE TABLE retention_deletion (
    id uuid NOT NULL,
    removed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL,
    subject text NOT NULL,
    name text NOT NULL,
    why text NOT NULL,
    lines bigint NOT NULL,
    bytes bigint NOT NULL,
    CONSTRAINT retention_deletion_pkey PRIMARY KEY (id)
  )`,
  `CREATE INDEX retention_deletion_newest ON retention_deletion (removed_at)`,
  `CREATE TABLE storage (
    id integer NOT NULL,
    level text NOT NULL,
    use jsonb NOT NULL,
    measured_at timestamptz NOT NULL,
    CONSTRAINT storage_pkey PRIMARY KEY (id)
  )`,
  `ALTER TABLE run_pin ADD CONSTRAINT run_pin_run_fkey FOREIGN KEY (run_id) REFERENCES run(id)`,
];

const DOWN = [
  `DROP TABLE storage`,
  `DROP TABLE retention_deletion`,
  `DROP TABLE run_pin`,
  `ALTER TABLE artifact DROP COLUMN removed_at`,
  `ALTER TABLE stream DROP COLUMN removed_at`,
  `ALTER TABLE stream DROP COLUMN bytes`,
  `ALTER TABLE log_line DROP COLUMN gap`,
  `ALTER TABLE log_line DROP COLUMN continues`,
];

export class Retention1763823600000 implements MigrationInterface {
  name = 'Retention1763823600000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
