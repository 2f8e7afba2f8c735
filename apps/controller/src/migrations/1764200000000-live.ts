import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What changed lately, for browsers that come back; inventories as they were; attempts by machine. */
const UP = [
  `CREATE TABLE change (
     xact bigint NOT NULL,
     topic text NOT NULL,
     at timestamptz NOT NULL DEFAULT clock_timestamp(),
     CONSTRAINT change_pkey PRIMARY KEY (xact, topic)
   )`,
  // The oldest row says from where on everything is known.
  `INSERT INTO change (xact, topic) VALUES (pg_current_xact_id()::text::bigint, '')`,
  `CREATE TABLE machine_inventory (
     machine text NOT NULL,
     number integer NOT NULL,
     seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     inventory jsonb NOT NULL,
     CONSTRAINT machine_inventory_pkey PRIMARY KEY (machine, number),
     CONSTRAINT machine_inventory_machine_fkey FOREIGN KEY (machine) REFERENCES machine (name)
   )`,
  `INSERT INTO machine_inventory (machine, number, inventory)
     SELECT name, 1, inventory FROM machine WHERE inventory IS NOT NULL`,
  `CREATE INDEX attempt_machine ON attempt (machine, started_at)`,
];

const DOWN = [`DROP INDEX attempt_machine`, `DROP TABLE machine_inventory`, `DROP TABLE change`];

export class Live1764200000000 implements MigrationInterface {
  name = 'Live1764200000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
