import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A controller of the version before job.build_name knows nothing of it; while both run side by side, its jobs
 * get the name all the same, or they would be missing from the newest grid for ever.
 */
const UP = [
  `CREATE FUNCTION job_build_name() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     SELECT name INTO STRICT NEW.build_name FROM build WHERE id = NEW.build_id;
     RETURN NEW;
   END $$`,
  `CREATE TRIGGER job_build_name BEFORE INSERT ON job
   FOR EACH ROW WHEN (NEW.build_name = '') EXECUTE FUNCTION job_build_name()`,
  `UPDATE job j SET build_name = b.name FROM build b WHERE b.id = j.build_id AND j.build_name = ''`,
];

const DOWN = [`DROP TRIGGER job_build_name ON job`, `DROP FUNCTION job_build_name()`];

export class BuildName1764050000000 implements MigrationInterface {
  name = 'BuildName1764050000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
