import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Each download of a builder asks for a bundle by its digest. */
export class BundleDigest1768061400000 implements MigrationInterface {
  name = 'BundleDigest1768061400000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE INDEX bundle_sha256 ON bundle (sha256)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP INDEX bundle_sha256');
  }
}
