import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Files that suites left, beside their results. */
const UP = [
  `CREATE TABLE attempt_file (
    attempt_id uuid NOT NULL,
    suite text NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    size_bytes bigint NOT NULL,
    CONSTRAINT attempt_file_pkey PRIMARY KEY (attempt_id, suite, name)
  )`,
  `ALTER TABLE attempt_file ADD CONSTRAINT attempt_file_attempt_fkey FOREIGN KEY (attempt_id) REFERENCES attempt(id)`,
  `CREATE INDEX attempt_file_content ON attempt_file (sha256)`,
];

export class AttemptFiles1766600100000 implements MigrationInterface {
  name = 'AttemptFiles1766600100000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TABLE attempt_file`);
  }
}
