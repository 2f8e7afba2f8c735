import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Out-of-tree drivers are built against a kernel, and no part of its bundle any more. */
export class DriverBuilds1767975000000 implements MigrationInterface {
  name = 'DriverBuilds1767975000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE build ADD COLUMN drivers jsonb NOT NULL DEFAULT '[]'`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE build DROP COLUMN drivers');
  }
}
