import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which artifact folder belongs to the database. */
export class ArtifactFolder1764700000000 implements MigrationInterface {
  name = 'ArtifactFolder1764700000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      `CREATE TABLE artifact_folder (id integer NOT NULL, folder_id uuid NOT NULL, host text NOT NULL,
         path text NOT NULL, CONSTRAINT artifact_folder_pkey PRIMARY KEY (id))`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE artifact_folder');
  }
}
