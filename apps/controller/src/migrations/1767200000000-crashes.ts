import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Crashes of all logs, grouped by title. What older versions stored is searched by the controllers, bit by bit. */
const UP = [
  `CREATE TABLE crash (
    participant_id uuid NOT NULL,
    key text NOT NULL,
    title text NOT NULL,
    type text NOT NULL,
    severity text NOT NULL,
    corrupted boolean NOT NULL,
    stream text NOT NULL,
    start_line bigint NOT NULL,
    end_line bigint NOT NULL,
    times integer NOT NULL,
    frames text[] NOT NULL,
    taint text,
    suite text,
    test text,
    at timestamp with time zone NOT NULL,
    CONSTRAINT crash_pkey PRIMARY KEY (participant_id, key)
  )`,
  `ALTER TABLE crash ADD CONSTRAINT crash_participant_fkey FOREIGN KEY (participant_id) REFERENCES participant(id)`,
  `CREATE INDEX crash_key ON crash (key)`,
  `CREATE TABLE crash_search (
    participant_id uuid NOT NULL,
    requested_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    failed integer NOT NULL DEFAULT 0,
    CONSTRAINT crash_search_pkey PRIMARY KEY (participant_id)
  )`,
  `ALTER TABLE crash_search ADD CONSTRAINT crash_search_participant_fkey FOREIGN KEY (participant_id) REFERENCES participant(id)`,
  `CREATE INDEX crash_search_requested ON crash_search (requested_at)`,
  `INSERT INTO crash_search (participant_id)
     SELECT p.id FROM participant p JOIN attempt t ON t.id = p.attempt_id JOIN job j ON j.id = t.job_id
     WHERE p.state = 'ended' AND j.kind = 'test'`,
];

export class Crashes1767200000000 implements MigrationInterface {
  name = 'Crashes1767200000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE crash');
    await queryRunner.query('DROP TABLE crash_search');
  }
}
