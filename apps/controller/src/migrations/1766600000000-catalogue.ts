import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which suites and configurations there are is told by builders, and kept while none is connected. */
export class Catalogue1766600000000 implements MigrationInterface {
  name = 'Catalogue1766600000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE agent ADD COLUMN catalogue jsonb`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE agent DROP COLUMN catalogue`);
  }
}
