import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The queue of ended attempts whose verdicts are to be packed, with all that older versions left to the first reader. */
const UP = [
  `CREATE TABLE unpacked_attempt (
    attempt_id uuid NOT NULL,
    CONSTRAINT unpacked_attempt_pkey PRIMARY KEY (attempt_id)
  )`,
  `ALTER TABLE unpacked_attempt ADD CONSTRAINT unpacked_attempt_attempt_fkey FOREIGN KEY (attempt_id) REFERENCES attempt(id)`,
  `INSERT INTO unpacked_attempt (attempt_id)
   SELECT id FROM attempt t WHERE state = 'ended'
     AND NOT EXISTS (SELECT 1 FROM attempt_verdicts v WHERE v.attempt_id = t.id)
     AND EXISTS (SELECT 1 FROM result r WHERE r.attempt_id = t.id)`,
];

const DOWN = [`DROP TABLE unpacked_attempt`];

export class UnpackedAttempts1764600000000 implements MigrationInterface {
  name = 'UnpackedAttempts1764600000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
