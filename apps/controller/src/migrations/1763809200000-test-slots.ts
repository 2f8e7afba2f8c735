import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Limits of concurrent tests, suites by job, and machines that were taken out of their agent's configuration. */
const UP = [
  `ALTER TABLE agent ADD test_slots integer`,
  `ALTER TABLE machine ADD configured boolean NOT NULL DEFAULT true`,
  `ALTER TABLE job ADD suites text array`,
  `CREATE UNIQUE INDEX lease_test_slot_active ON lease (agent, slot)
     WHERE released_at is null and machine is not null`,
];

const DOWN = [
  `DROP INDEX lease_test_slot_active`,
  `ALTER TABLE job DROP COLUMN suites`,
  `ALTER TABLE machine DROP COLUMN configured`,
  `ALTER TABLE agent DROP COLUMN test_slots`,
];

export class TestSlots1763809200000 implements MigrationInterface {
  name = 'TestSlots1763809200000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
