import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Whether an agent was heard of lately: the one place of this rule. Postgres puts the body of such a function into
 * the statement that calls it, so that it costs nothing; only a volatile function may call clock_timestamp() then.
 * 12 s are AGENT_LOST_SECONDS of the contracts; a test compares them.
 */
const UP = `
  CREATE FUNCTION agent_online(agent) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT $1.connected AND $1.last_seen_at > clock_timestamp() - make_interval(secs => 12)
  $$`;

export class AgentOnline1764500000000 implements MigrationInterface {
  name = 'AgentOnline1764500000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(UP);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP FUNCTION agent_online(agent)');
  }
}
