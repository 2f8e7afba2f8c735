import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which controllers are alive, who wants a machine to be as it is, and what its agent holds on it. Older controllers go on beside it. */
const UP = [
  `CREATE TABLE controller (
    id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    CONSTRAINT controller_pkey PRIMARY KEY (id)
  )`,
  `ALTER TABLE machine ADD desired_by text`,
  `ALTER TABLE machine ADD desired_at timestamptz`,
  `ALTER TABLE machine ADD held_attempt uuid`,
];

const DOWN = [
  `ALTER TABLE machine DROP COLUMN held_attempt`,
  `ALTER TABLE machine DROP COLUMN desired_at`,
  `ALTER TABLE machine DROP COLUMN desired_by`,
  `DROP TABLE controller`,
];

export class Leases1763822700000 implements MigrationInterface {
  name = 'Leases1763822700000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
