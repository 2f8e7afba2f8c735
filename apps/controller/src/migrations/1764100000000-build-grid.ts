import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The grid by kernel: kernels by age, their builds by age, a build's jobs by combination, the newest result. */
const UP = [
  `CREATE INDEX bundle_newest ON bundle (created_at, key)`,
  `DROP INDEX build_bundle`,
  `CREATE INDEX build_bundle ON build (bundle_key, created_at)`,
  `DROP INDEX job_build`,
  `CREATE INDEX job_build ON job (build_id, combination)`,
  `CREATE INDEX job_ended ON job (ended_at)
   WHERE state = 'ended' and kind = 'test' and verdict <> 'canceled'`,
];

const DOWN = [
  `DROP INDEX job_ended`,
  `DROP INDEX job_build`,
  `CREATE INDEX job_build ON job (build_id)`,
  `DROP INDEX build_bundle`,
  `CREATE INDEX build_bundle ON build (bundle_key)`,
  `DROP INDEX bundle_newest`,
];

export class BuildGrid1764100000000 implements MigrationInterface {
  name = 'BuildGrid1764100000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
