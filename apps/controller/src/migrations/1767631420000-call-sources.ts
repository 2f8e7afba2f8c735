import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Addresses of reports, and where in the source they are. Crashes of before have none. */
export class CallSources1767631420000 implements MigrationInterface {
  name = 'CallSources1767631420000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE crash ADD COLUMN calls text array NOT NULL DEFAULT '{}'`);
    await queryRunner.query(
      `CREATE TABLE call_source (participant_id uuid NOT NULL, call text NOT NULL, frames jsonb NOT NULL,
         CONSTRAINT call_source_pkey PRIMARY KEY (participant_id, call),
         CONSTRAINT call_source_participant_fkey FOREIGN KEY (participant_id) REFERENCES participant(id) ON DELETE NO ACTION ON UPDATE NO ACTION)`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TABLE call_source`);
    await queryRunner.query(`ALTER TABLE crash DROP COLUMN calls`);
  }
}
