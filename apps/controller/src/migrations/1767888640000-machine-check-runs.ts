import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What people checked of a machine on the host of its agent. */
export class MachineCheckRuns1767888640000 implements MigrationInterface {
  name = 'MachineCheckRuns1767888640000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE machine ADD COLUMN check_runs jsonb');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE machine DROP COLUMN check_runs');
  }
}
