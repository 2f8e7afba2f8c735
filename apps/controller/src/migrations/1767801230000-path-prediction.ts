import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What a participant's kernel is expected to do where the rule of its source is not that of the combination. */
export class PathPrediction1767801230000 implements MigrationInterface {
  name = 'PathPrediction1767801230000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE participant ADD COLUMN prediction jsonb');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE participant DROP COLUMN prediction');
  }
}
