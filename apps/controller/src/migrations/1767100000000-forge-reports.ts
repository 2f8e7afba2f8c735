import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What deliveries asked for, and what forges are to be told of commits. */
const UP = [
  `ALTER TABLE webhook_delivery ADD repository text`,
  `ALTER TABLE webhook_delivery ADD commit text`,
  `ALTER TABLE webhook_delivery ADD number integer`,
  `ALTER TABLE webhook_delivery ADD fork text`,
  `ALTER TABLE webhook_delivery ADD asked jsonb`,
  `CREATE INDEX webhook_delivery_request ON webhook_delivery (source, repository, number) WHERE number is not null`,
  `CREATE TABLE forge_report (
    id uuid NOT NULL,
    source text NOT NULL,
    repository text NOT NULL,
    commit text NOT NULL,
    context text NOT NULL,
    number integer,
    run_id uuid,
    notice jsonb,
    revision integer NOT NULL DEFAULT 1,
    said text,
    said_at timestamp with time zone,
    remote jsonb NOT NULL DEFAULT '{}',
    claim integer NOT NULL DEFAULT 0,
    claimed_until timestamp with time zone,
    due_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    tries integer NOT NULL DEFAULT 0,
    error text,
    closed boolean NOT NULL DEFAULT false,
    created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT forge_report_pkey PRIMARY KEY (id),
    CONSTRAINT forge_report_commit UNIQUE (source, repository, commit, context)
  )`,
  `ALTER TABLE forge_report ADD CONSTRAINT forge_report_run_fkey FOREIGN KEY (run_id) REFERENCES run(id)`,
  `CREATE INDEX forge_report_due ON forge_report (due_at) WHERE not closed`,
  `CREATE INDEX forge_report_run ON forge_report (run_id) WHERE run_id is not null`,
  `CREATE INDEX forge_report_newest ON forge_report (created_at)`,
];

const DOWN = [
  `DROP TABLE forge_report`,
  `DROP INDEX webhook_delivery_request`,
  `ALTER TABLE webhook_delivery DROP COLUMN asked`,
  `ALTER TABLE webhook_delivery DROP COLUMN fork`,
  `ALTER TABLE webhook_delivery DROP COLUMN number`,
  `ALTER TABLE webhook_delivery DROP COLUMN commit`,
  `ALTER TABLE webhook_delivery DROP COLUMN repository`,
];

export class ForgeReports1767100000000 implements MigrationInterface {
  name = 'ForgeReports1767100000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
