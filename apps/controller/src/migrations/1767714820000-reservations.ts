import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Machines that a person has for a while, and which agents restore them afterwards. */
const UP = [
  `CREATE TABLE reservation (
    id uuid NOT NULL,
    machine text NOT NULL,
    holder text NOT NULL,
    reason text NOT NULL,
    seconds integer NOT NULL,
    state text NOT NULL,
    fence bigint,
    requested_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    begun_at timestamp with time zone,
    until timestamp with time zone,
    returned_at timestamp with time zone,
    returned_by text,
    ended_at timestamp with time zone,
    outcome text,
    detail text,
    CONSTRAINT reservation_pkey PRIMARY KEY (id)
  )`,
  `CREATE UNIQUE INDEX reservation_open ON reservation (machine) WHERE ended_at is null`,
  `CREATE INDEX reservation_machine ON reservation (machine, requested_at)`,
  `ALTER TABLE reservation ADD CONSTRAINT reservation_machine_fkey FOREIGN KEY (machine) REFERENCES machine(name)`,
  `ALTER TABLE machine ADD COLUMN reserved uuid`,
  `ALTER TABLE machine_change ADD COLUMN event text`,
  `ALTER TABLE agent ADD COLUMN restores boolean NOT NULL DEFAULT false`,
];

export class Reservations1767714820000 implements MigrationInterface {
  name = 'Reservations1767714820000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE agent DROP COLUMN restores');
    await queryRunner.query('ALTER TABLE machine_change DROP COLUMN event');
    await queryRunner.query('ALTER TABLE machine DROP COLUMN reserved');
    await queryRunner.query('DROP TABLE reservation');
  }
}
