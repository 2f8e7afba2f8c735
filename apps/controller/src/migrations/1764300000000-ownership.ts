import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Who made a bundle, who uploaded an artifact, which site an agent belongs to, which machine names are free,
 * what of a delivery was signed, and which fence a machine made up.
 */
const UP = [
  `ALTER TABLE bundle ADD origin text NOT NULL DEFAULT 'upload'`,
  `ALTER TABLE bundle ADD made_by text NOT NULL DEFAULT ''`,
  // A run that names a bundle has no job that builds it.
  `UPDATE bundle SET origin = 'build' WHERE EXISTS (
     SELECT 1 FROM build b JOIN job j ON j.build_id = b.id WHERE b.bundle_key = bundle.key AND j.kind = 'build')`,
  `ALTER TABLE artifact ADD uploaded_by text NOT NULL DEFAULT ''`,
  `CREATE INDEX artifact_uploader ON artifact (uploaded_by, created_at)`,
  `ALTER TABLE token ADD site text`,
  `ALTER TABLE token ADD only_work text`,
  `ALTER TABLE agent ADD site_confirmed boolean NOT NULL DEFAULT false`,
  `ALTER TABLE machine ADD forgotten boolean NOT NULL DEFAULT false`,
  `ALTER TABLE machine ADD forged_fence bigint`,
  `CREATE INDEX machine_of_agent ON machine (agent)`,
  `ALTER TABLE webhook_delivery ADD digest text`,
  `CREATE INDEX webhook_delivery_digest ON webhook_delivery (source, digest)`,
];

const DOWN = [
  `DROP INDEX webhook_delivery_digest`,
  `ALTER TABLE webhook_delivery DROP COLUMN digest`,
  `DROP INDEX machine_of_agent`,
  `ALTER TABLE machine DROP COLUMN forged_fence`,
  `ALTER TABLE machine DROP COLUMN forgotten`,
  `ALTER TABLE agent DROP COLUMN site_confirmed`,
  `ALTER TABLE token DROP COLUMN only_work`,
  `ALTER TABLE token DROP COLUMN site`,
  `DROP INDEX artifact_uploader`,
  `ALTER TABLE artifact DROP COLUMN uploaded_by`,
  `ALTER TABLE bundle DROP COLUMN made_by`,
  `ALTER TABLE bundle DROP COLUMN origin`,
];

export class Ownership1764300000000 implements MigrationInterface {
  name = 'Ownership1764300000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
