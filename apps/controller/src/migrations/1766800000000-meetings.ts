import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Where participants of an attempt wait for each other. */
const UP = `CREATE TABLE meeting (
    participant_id uuid NOT NULL,
    left_suites jsonb NOT NULL,
    over text,
    place jsonb,
    value text,
    wait_seconds integer,
    deadline_at timestamptz,
    outcome jsonb,
    CONSTRAINT meeting_pkey PRIMARY KEY (participant_id),
    CONSTRAINT meeting_participant_fkey FOREIGN KEY (participant_id) REFERENCES participant(id) ON DELETE CASCADE
  )`;

export class Meetings1766800000000 implements MigrationInterface {
  name = 'Meetings1766800000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(UP);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TABLE meeting`);
  }
}
