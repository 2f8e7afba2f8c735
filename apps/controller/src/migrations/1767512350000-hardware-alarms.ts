import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What the hardware of machines told in the logs of attempts. */
const UP = `CREATE TABLE hardware_alarm (
    participant_id uuid NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL,
    title text NOT NULL,
    device text NOT NULL,
    stream text NOT NULL,
    line bigint NOT NULL,
    times integer NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT hardware_alarm_pkey PRIMARY KEY (participant_id, kind, severity, title, device)
  )`;

export class HardwareAlarms1767512350000 implements MigrationInterface {
  name = 'HardwareAlarms1767512350000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(UP);
    await queryRunner.query(
      `ALTER TABLE hardware_alarm ADD CONSTRAINT hardware_alarm_participant_fkey FOREIGN KEY (participant_id) REFERENCES participant(id)`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE hardware_alarm');
  }
}
