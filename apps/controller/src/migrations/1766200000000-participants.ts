import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Tables whose rows belong to a participant from now on; only the name of their column changes. */
const OF_PARTICIPANT = ['lease', 'stream', 'attempt_stage', 'attempt_kernel'] as const;
/** Primary keys that name the role too: two participants may report the same test. */
const WITH_ROLE = {
  planned_test: 'suite, test',
  result: 'suite, test',
  measurement: 'seq',
} as const;

/**
 * Attempts with several machines: what belongs to one machine moves from the attempt to a participant. Each attempt of
 * before gets one participant with the attempt's own id. Controllers of before cannot work on this schema.
 */
const UP = [
  `CREATE TABLE participant (
    id uuid NOT NULL,
    attempt_id uuid NOT NULL,
    role text NOT NULL,
    position integer NOT NULL,
    state text NOT NULL,
    agent text NOT NULL,
    machine text,
    fence bigint NOT NULL,
    nonce text NOT NULL,
    failure jsonb,
    restored boolean,
    revoked_at timestamptz,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    CONSTRAINT participant_pkey PRIMARY KEY (id),
    CONSTRAINT participant_attempt_role UNIQUE (attempt_id, role)
  )`,
  `INSERT INTO participant
     SELECT id, id, 'main', 0, state, agent, machine, fence, nonce, failure, restored, revoked_at, started_at, ended_at
     FROM attempt`,
  `ALTER TABLE participant ADD CONSTRAINT participant_attempt_fkey FOREIGN KEY (attempt_id) REFERENCES attempt (id)`,
  `ALTER TABLE participant ADD CONSTRAINT participant_agent_fkey FOREIGN KEY (agent) REFERENCES agent (name)`,
  `ALTER TABLE participant ADD CONSTRAINT participant_machine_fkey FOREIGN KEY (machine) REFERENCES machine (name)`,
  `CREATE INDEX participant_open ON participant (agent) WHERE state <> 'ended'`,
  `CREATE INDEX participant_machine ON participant (machine, started_at)`,
  `DROP INDEX attempt_open`,
  `DROP INDEX attempt_machine`,
  `ALTER TABLE attempt DROP COLUMN agent, DROP COLUMN machine, DROP COLUMN fence, DROP COLUMN nonce,
     DROP COLUMN restored, DROP COLUMN revoked_at`,
  ...OF_PARTICIPANT.flatMap((table) => [
    `ALTER TABLE ${table} DROP CONSTRAINT ${table}_attempt_fkey`,
    `ALTER TABLE ${table} RENAME COLUMN attempt_id TO participant_id`,
    `ALTER TABLE ${table} ADD CONSTRAINT ${table}_participant_fkey FOREIGN KEY (participant_id) REFERENCES participant (id)`,
  ]),
  `ALTER INDEX lease_attempt RENAME TO lease_participant`,
  `ALTER TABLE log_line RENAME COLUMN attempt_id TO participant_id`,
  `ALTER TABLE machine RENAME COLUMN held_attempt TO held_participant`,
  ...Object.entries(WITH_ROLE).flatMap(([table, key]) => [
    `ALTER TABLE ${table} ADD role text NOT NULL DEFAULT 'main'`,
    `ALTER TABLE ${table} DROP CONSTRAINT ${table}_pkey`,
    `ALTER TABLE ${table} ADD CONSTRAINT ${table}_pkey PRIMARY KEY (attempt_id, role, ${key})`,
  ]),
];

/** What several participants of one attempt have is lost but for the first one's. */
const DOWN = [
  `DELETE FROM planned_test WHERE role <> 'main'`,
  `DELETE FROM result WHERE role <> 'main'`,
  `DELETE FROM measurement WHERE role <> 'main'`,
  ...Object.entries(WITH_ROLE).flatMap(([table, key]) => [
    `ALTER TABLE ${table} DROP CONSTRAINT ${table}_pkey`,
    `ALTER TABLE ${table} DROP COLUMN role`,
    `ALTER TABLE ${table} ADD CONSTRAINT ${table}_pkey PRIMARY KEY (attempt_id, ${key})`,
  ]),
  `ALTER TABLE machine RENAME COLUMN held_participant TO held_attempt`,
  ...[...OF_PARTICIPANT, 'log_line'].map(
    (table) => `DELETE FROM ${table} WHERE participant_id NOT IN (SELECT attempt_id FROM participant)`,
  ),
  `ALTER TABLE log_line RENAME COLUMN participant_id TO attempt_id`,
  `ALTER INDEX lease_participant RENAME TO lease_attempt`,
  ...OF_PARTICIPANT.flatMap((table) => [
    `ALTER TABLE ${table} DROP CONSTRAINT ${table}_participant_fkey`,
    `ALTER TABLE ${table} RENAME COLUMN participant_id TO attempt_id`,
    `ALTER TABLE ${table} ADD CONSTRAINT ${table}_attempt_fkey FOREIGN KEY (attempt_id) REFERENCES attempt (id)`,
  ]),
  `ALTER TABLE attempt ADD agent text, ADD machine text, ADD fence bigint, ADD nonce text, ADD restored boolean,
     ADD revoked_at timestamptz`,
  `UPDATE attempt t SET agent = p.agent, machine = p.machine, fence = p.fence, nonce = p.nonce,
     restored = p.restored, revoked_at = p.revoked_at FROM participant p WHERE p.id = t.id`,
  `ALTER TABLE attempt ALTER agent SET NOT NULL, ALTER fence SET NOT NULL, ALTER nonce SET NOT NULL,
     ADD CONSTRAINT attempt_agent_fkey FOREIGN KEY (agent) REFERENCES agent (name),
     ADD CONSTRAINT attempt_machine_fkey FOREIGN KEY (machine) REFERENCES machine (name)`,
  `CREATE INDEX attempt_open ON attempt (agent) WHERE state <> 'ended'`,
  `CREATE INDEX attempt_machine ON attempt (machine, started_at)`,
  `DROP TABLE participant`,
];

export class Participants1766200000000 implements MigrationInterface {
  name = 'Participants1766200000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of UP) await queryRunner.query(statement);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await queryRunner.query(statement);
  }
}
