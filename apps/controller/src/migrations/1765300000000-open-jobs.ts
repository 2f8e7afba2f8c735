import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The grid shows which columns are busy: test jobs that have not ended, few among all that ever ran. */
export class OpenJobs1765300000000 implements MigrationInterface {
  name = 'OpenJobs1765300000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      `CREATE INDEX job_open ON job (combination, build_name) WHERE state <> 'ended' and kind = 'test'`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP INDEX job_open`);
  }
}
