import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who wanted what of a machine stays known, from the last change on; leases are read by machine and time. */
const UP = [
  `CREATE TABLE machine_change (
    machine text NOT NULL,
    number integer NOT NULL,
    desired text NOT NULL,
    by text,
    reason text,
    at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT machine_change_pkey PRIMARY KEY (machine, number)
  )`,
  `ALTER TABLE machine_change ADD CONSTRAINT machine_change_machine_fkey FOREIGN KEY (machine) REFERENCES machine(name)`,
  `INSERT INTO machine_change (machine, number, desired, by, reason, at)
   SELECT name, 1, desired, desired_by, desired_reason, desired_at FROM machine WHERE desired_at IS NOT NULL`,
  `CREATE INDEX lease_machine_released ON lease (machine, released_at)`,
];

const DOWN = [`DROP INDEX lease_machine_released`, `DROP TABLE machine_change`];

export class MachineChanges1765400000000 implements MigrationInterface {
  name = 'MachineChanges1765400000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
