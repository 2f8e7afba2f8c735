import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What the git source of a build was found to be. */
export class BuildCommit1767000000000 implements MigrationInterface {
  name = 'BuildCommit1767000000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE build ADD commit text`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE build DROP COLUMN commit`);
  }
}
