import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Terminals of machines: who had them, and what they printed. */
const UP = [
  `CREATE TABLE terminal (
    id uuid NOT NULL,
    machine text NOT NULL,
    reservation_id uuid,
    kind text NOT NULL,
    by text NOT NULL,
    columns integer NOT NULL,
    rows integer NOT NULL,
    connection uuid,
    opened_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamp with time zone,
    why text,
    next integer NOT NULL DEFAULT 0,
    kept_bytes integer NOT NULL DEFAULT 0,
    removed_bytes bigint NOT NULL DEFAULT 0,
    CONSTRAINT terminal_pkey PRIMARY KEY (id)
  )`,
  `CREATE INDEX terminal_machine ON terminal (machine, opened_at)`,
  `CREATE INDEX terminal_open ON terminal (machine) WHERE closed_at is null`,
  `ALTER TABLE terminal ADD CONSTRAINT terminal_machine_fkey FOREIGN KEY (machine) REFERENCES machine(name)`,
  `ALTER TABLE terminal ADD CONSTRAINT terminal_reservation_fkey FOREIGN KEY (reservation_id) REFERENCES reservation(id) ON DELETE SET NULL`,
  `CREATE TABLE terminal_output (
    terminal_id uuid NOT NULL,
    number integer NOT NULL,
    at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    data bytea NOT NULL,
    CONSTRAINT terminal_output_pkey PRIMARY KEY (terminal_id, number)
  )`,
  `ALTER TABLE terminal_output ADD CONSTRAINT terminal_output_terminal_fkey FOREIGN KEY (terminal_id) REFERENCES terminal(id) ON DELETE CASCADE`,
  `ALTER TABLE agent ADD COLUMN opens_terminals boolean NOT NULL DEFAULT false`,
];

export class Terminals1767714830000 implements MigrationInterface {
  name = 'Terminals1767714830000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE agent DROP COLUMN opens_terminals');
    await queryRunner.query('DROP TABLE terminal_output');
    await queryRunner.query('DROP TABLE terminal');
  }
}
