import type { MigrationInterface, QueryRunner } from 'typeorm';

/** By which kernel/ folder and compiler a build was made. Builds of before have none: it was not recorded. */
export class BuildRecipe1766100100000 implements MigrationInterface {
  name = 'BuildRecipe1766100100000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE build ADD COLUMN recipe text`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE build DROP COLUMN recipe`);
  }
}
