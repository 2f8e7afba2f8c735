import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The newest results of each machine, where several have the same hardware. */
export class NewestByMachine1766900000000 implements MigrationInterface {
  name = 'NewestByMachine1766900000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      `CREATE INDEX "job_newest_machine" ON "job" ("combination", "build_name", "machine", "ended_at")
       WHERE state = 'ended' and kind = 'test' and verdict <> 'canceled'`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP INDEX "job_newest_machine"`);
  }
}
