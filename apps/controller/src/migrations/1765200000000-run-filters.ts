import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Who submitted a run, by name, what the filters of the list of runs look for, which job a run repeats, and
 * which builds are the same or take about as long.
 */
const UP = [
  `ALTER TABLE run ADD submitted_by text NOT NULL DEFAULT ''`,
  `UPDATE run SET submitted_by = CASE trigger_kind
     WHEN 'user' THEN split_part(trigger_detail, ', again after ', 1) ELSE split_part(trigger_detail, ': ', 1) END`,
  `CREATE INDEX run_submitted_by ON run (submitted_by, created_at)`,
  `CREATE INDEX run_verdict ON run (verdict, created_at) WHERE state = 'ended'`,
  `CREATE INDEX run_open ON run (created_at) WHERE state <> 'ended'`,
  `CREATE INDEX job_machine ON job (machine, run_id)`,
  `ALTER TABLE run ADD retry_of uuid`,
  `ALTER TABLE build ADD inputs text NOT NULL DEFAULT ''`,
  `ALTER TABLE build ADD size text NOT NULL DEFAULT ''`,
  `CREATE INDEX build_inputs ON build (inputs, created_at)`,
  `CREATE INDEX run_retry_of ON run (retry_of) WHERE retry_of is not null`,
];

const DOWN = [
  `DROP INDEX build_inputs`,
  `ALTER TABLE build DROP COLUMN size`,
  `ALTER TABLE build DROP COLUMN inputs`,
  `DROP INDEX run_retry_of`,
  `ALTER TABLE run DROP COLUMN retry_of`,
  `DROP INDEX job_machine`,
  `DROP INDEX run_open`,
  `DROP INDEX run_verdict`,
  `DROP INDEX run_submitted_by`,
  `ALTER TABLE run DROP COLUMN submitted_by`,
];

export class RunFilters1765200000000 implements MigrationInterface {
  name = 'RunFilters1765200000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
