import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Health checks of machines, what they make suspect, and what a run is for. */
const UP = [
  `ALTER TABLE machine ADD COLUMN unproven text, ADD COLUMN unproven_at timestamptz`,
  `ALTER TABLE run ADD COLUMN purpose text NOT NULL DEFAULT 'test'`,
  `ALTER TABLE job ADD COLUMN purpose text NOT NULL DEFAULT 'test'`,
  `CREATE TABLE health_check (
    machine text NOT NULL,
    number integer NOT NULL,
    kind text NOT NULL,
    reason text NOT NULL,
    by text,
    boots integer NOT NULL,
    run_id uuid,
    requested_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamp with time zone,
    outcome text,
    detail text,
    CONSTRAINT health_check_pkey PRIMARY KEY (machine, number)
  )`,
  `CREATE UNIQUE INDEX health_check_open ON health_check (machine) WHERE ended_at is null`,
  `CREATE INDEX health_check_run ON health_check (run_id) WHERE run_id is not null`,
  `ALTER TABLE health_check ADD CONSTRAINT health_check_machine_fkey FOREIGN KEY (machine) REFERENCES machine(name)`,
  `CREATE TABLE suspect_attempt (
    attempt_id uuid NOT NULL,
    machine text NOT NULL,
    check_number integer NOT NULL,
    at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    good_at timestamp with time zone,
    requeue boolean NOT NULL DEFAULT false,
    requeued_run uuid,
    CONSTRAINT suspect_attempt_pkey PRIMARY KEY (attempt_id, machine)
  )`,
  `CREATE INDEX suspect_attempt_machine ON suspect_attempt (machine)`,
  `CREATE INDEX suspect_attempt_requeue ON suspect_attempt (at) WHERE requeue`,
  `ALTER TABLE suspect_attempt ADD CONSTRAINT suspect_attempt_machine_fkey FOREIGN KEY (machine) REFERENCES machine(name)`,
];

export class MachineHealth1767512340000 implements MigrationInterface {
  name = 'MachineHealth1767512340000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE suspect_attempt');
    await queryRunner.query('DROP TABLE health_check');
    await queryRunner.query('ALTER TABLE job DROP COLUMN purpose');
    await queryRunner.query('ALTER TABLE run DROP COLUMN purpose');
    await queryRunner.query('ALTER TABLE machine DROP COLUMN unproven, DROP COLUMN unproven_at');
  }
}
