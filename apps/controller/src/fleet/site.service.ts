import { Injectable } from '@nestjs/common';
import { announce } from '../platform/database/bus.js';
import { integer, text } from '../platform/database/row-shape.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { notFound, ProblemError } from '../platform/http/problem.js';

/**
 * Which site an agent belongs to and which agent a machine belongs to. An agent belongs to the site of its
 * token, or to the first one that it names; only a person moves agents and machines, or frees a machine's name.
 */
@Injectable()
export class SiteService {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /**
   * Binds an agent to the site that it names; why it may not speak for it, or null. An agent that is new is
   * recorded by its hello.
   * @param tokenSite the site that its token was made for; null = any
   */
  async bind(agent: string, site: string, tokenSite: string | null): Promise<string | null> {
    if (tokenSite !== null && tokenSite !== site) {
      return `the token of agent "${agent}" is for the site "${tokenSite}", not "${site}"; correct "site" in the agent's configuration`;
    }
    const row = await this.#sql.one({ site: text }, 'select site from agent where name = $1', [agent]);
    if (row === null || row.site === site) return null;
    return `agent "${agent}" belongs to the site "${row.site}", not "${site}"; move it with "peerlab agents move ${agent} ${site}"`;
  }

  /** Gives a machine to another agent. Throws ProblemError 404, or 409 while it is leased. */
  async moveMachine(machine: string, agent: string): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      if (!(await tx.exists('select 1 from agent where name = $1', [agent]))) throw notFound('agent', agent);
      await this.#lockFree(tx, machine);
      await tx.run(
        `update machine set agent = $2, forgotten = false, reachable = false, held_participant = null,
           problem = 'it was moved to this agent, which has not named it yet'
         where name = $1 and (agent <> $2 or forgotten)`,
        [machine, agent],
      );
      await announce(tx, { type: 'changed', topics: ['machines', 'runs'] });
    });
  }

  /**
   * Frees the name of a machine; true when its record is gone, false when its history stays. Throws
   * ProblemError 404, or 409 while it is leased or its agent names it.
   */
  async forgetMachine(machine: string): Promise<boolean> {
    return this.#sql.transaction(async (tx) => {
      await this.#lockFree(tx, machine);
      const named = await tx.one(
        { agent: text },
        `select a.name as agent from machine m join agent a on a.name = m.agent
         where m.name = $1 and m.configured and not m.forgotten and agent_online(a)`,
        [machine],
      );
      if (named !== null) {
        throw new ProblemError(409, 'machine-in-use', `agent "${named.agent}" has ${machine} in its configuration`, {
          detail: 'take it out there, or stop the agent, and try again',
        });
      }
      await announce(tx, { type: 'changed', topics: ['machines', 'runs'] });
      const isUsed = await tx.exists(
        `select 1 where exists (select 1 from job where machine = $1) or exists (select 1 from participant where machine = $1)
           or exists (select 1 from health_check where machine = $1) or exists (select 1 from reservation where machine = $1)
           or exists (select 1 from terminal where machine = $1)`,
        [machine],
      );
      if (isUsed) {
        await tx.run(
          `update machine set forgotten = true, configured = false, reachable = false, held_participant = null,
             problem = 'it was forgotten; the next agent that names it gets it' where name = $1`,
          [machine],
        );
        return false;
      }
      await tx.run('delete from machine_path where machine = $1', [machine]);
      await tx.run('delete from machine_inventory where machine = $1', [machine]);
      await tx.run('delete from machine_change where machine = $1', [machine]);
      await tx.run('delete from machine where name = $1', [machine]);
      return true;
    });
  }

  /**
   * Gives an agent, with its machines, to a site, and confirms that it belongs there; returns how many
   * machines it has. Throws ProblemError 404, or 409 while one of them is leased.
   */
  async moveAgent(agent: string, site: string): Promise<number> {
    return this.#sql.transaction(async (tx) => {
      const isKnown = await tx.exists('select 1 from agent where name = $1 for no key update', [agent]);
      if (!isKnown) throw notFound('agent', agent);
      await tx.run('select 1 from machine where agent = $1 order by name for update', [agent]);
      const leased = await tx.one(
        { machine: text },
        `select m.name as machine from machine m join lease l on l.machine = m.name and l.released_at is null
         where m.agent = $1 limit 1`,
        [agent],
      );
      if (leased !== null) throw isLeased(leased.machine);
      await tx.run('update agent set site = $2, site_confirmed = true where name = $1', [agent, site]);
      await announce(tx, { type: 'changed', topics: ['machines'] });
      const count = await tx.one(
        { n: integer },
        'select count(*)::int as n from machine where agent = $1 and not forgotten',
        [agent],
      );
      return count?.n ?? 0;
    });
  }

  /**
   * Locks a machine that nothing runs on. Dispatch holds the row while it leases the machine: only a statement that
   * begins after the lock was got sees that lease.
   */
  async #lockFree(tx: Queries, machine: string): Promise<void> {
    if (!(await tx.exists('select 1 from machine where name = $1 for update', [machine]))) {
      throw notFound('machine', machine);
    }
    const isOnLease = await tx.exists('select 1 from lease where machine = $1 and released_at is null limit 1', [
      machine,
    ]);
    if (isOnLease) throw isLeased(machine);
  }
}

const isLeased = (machine: string): ProblemError =>
  new ProblemError(409, 'machine-leased', `an attempt runs on ${machine}`, {
    detail: `drain it with "peerlab machines drain ${machine} --reason TEXT", wait for the attempt, and try again`,
  });
