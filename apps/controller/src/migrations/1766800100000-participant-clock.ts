import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How the clocks of the agents of an attempt stand to the database's: their streams are shown on one axis of time. */
export class ParticipantClock1766800100000 implements MigrationInterface {
  name = 'ParticipantClock1766800100000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE participant ADD clock_offset_ms float8, ADD clock_error_ms float8`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE participant DROP clock_offset_ms, DROP clock_error_ms`);
  }
}
