import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What the newest look at a machine said about the things that the farm needs of it, and when that was. */
export class MachineChecks1767450000000 implements MigrationInterface {
  name = 'MachineChecks1767450000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE machine ADD COLUMN checks jsonb, ADD COLUMN checked_at timestamptz`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE machine DROP COLUMN checks, DROP COLUMN checked_at`);
  }
}
