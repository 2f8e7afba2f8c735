import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Builds by age and by bundle; when a token was used; what became of every webhook delivery. */
const UP = [
  `CREATE INDEX build_newest ON build (created_at, id)`,
  `CREATE INDEX build_bundle ON build (bundle_key)`,
  `ALTER TABLE token ADD last_used_at timestamptz`,
  `ALTER TABLE webhook_delivery ADD outcome text NOT NULL DEFAULT 'started'`,
  `ALTER TABLE webhook_delivery ADD detail text NOT NULL DEFAULT ''`,
  `CREATE INDEX webhook_delivery_newest ON webhook_delivery (received_at, source, delivery_id)`,
  `CREATE INDEX webhook_delivery_idle ON webhook_delivery (received_at) WHERE outcome <> 'started'`,
];

const DOWN = [
  `DROP INDEX webhook_delivery_idle`,
  `DROP INDEX webhook_delivery_newest`,
  `DELETE FROM webhook_delivery WHERE outcome <> 'started'`,
  `ALTER TABLE webhook_delivery DROP COLUMN detail`,
  `ALTER TABLE webhook_delivery DROP COLUMN outcome`,
  `ALTER TABLE token DROP COLUMN last_used_at`,
  `DROP INDEX build_bundle`,
  `DROP INDEX build_newest`,
];

export class Desk1763831400000 implements MigrationInterface {
  name = 'Desk1763831400000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
