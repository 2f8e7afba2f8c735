import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who submitted a run, and which agent brought a combination. */
const UP = [
  `ALTER TABLE run ADD submitter uuid`,
  `ALTER TABLE combination ADD found_by text`,
  `ALTER TABLE combination ADD found_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT clock_timestamp()`,
  `CREATE INDEX combination_found ON combination (found_by, found_at)`,
];

const DOWN = [
  `DROP INDEX combination_found`,
  `ALTER TABLE combination DROP COLUMN found_at`,
  `ALTER TABLE combination DROP COLUMN found_by`,
  `ALTER TABLE run DROP COLUMN submitter`,
];

export class Shares1764400000000 implements MigrationInterface {
  name = 'Shares1764400000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
