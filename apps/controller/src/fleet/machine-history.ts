import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import {
  canonicalJson,
  hardwareOf,
  inventoryDrift,
  MACHINE_ATTEMPTS_MAX,
  MACHINE_CHANGES_MAX,
  stateOf,
  type FailureClass,
  type InventoryHistory,
  type MachineAttempt,
  type MachineChange,
} from '@peerlab/contracts';
import { bool, columnsOf, integer, nullable, pick, text, word } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { Attempt, Participant } from '../schema/attempts.js';
import { MachineChangeRow, MachineInventory } from '../schema/fleet.js';
import { Job } from '../schema/runs.js';
import { notFound } from '../platform/http/problem.js';

const ATTEMPT_ON_MACHINE = {
  ...pick(columnsOf(Attempt), 'id', 'number'),
  ...pick(columnsOf(Participant), 'role', 'state', 'started_at', 'ended_at'),
  ...pick(columnsOf(Job), 'run_id', 'verdict'),
  run_name: text,
  build: text,
  failure: nullable(word<FailureClass>()),
  serial_lines: integer,
  is_suspect: bool,
};

/** As `InventoryDigest` has it. */
const digestOf = (part: unknown): string => createHash('sha256').update(canonicalJson(part)).digest('hex').slice(0, 12);

/** What happened to a machine over time: attempts on it, who changed its state, and what it was made of. */
@Injectable()
export class MachineHistory {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** The newest attempts, newest first. Throws a 404 problem for a machine that is not known. */
  async attempts(machine: string): Promise<MachineAttempt[]> {
    await this.#require(machine);
    const rows = await this.#sql.rows(
      ATTEMPT_ON_MACHINE,
      `select t.id, t.number, p.state, r.id as run_id, r.name as run_name, b.name as build,
         case when j.state = 'ended' then j.verdict end as verdict, p.failure ->> 'class' as failure,
         p.started_at, p.ended_at, p.role,
         coalesce((select s.next from stream s where s.participant_id = p.id and s.stream = 'serial'
                   and s.removed_at is null), 0) as serial_lines,
         exists (select 1 from suspect_attempt s where s.attempt_id = t.id and s.machine = p.machine) as is_suspect
       from participant p join attempt t on t.id = p.attempt_id join job j on j.id = t.job_id join run r on r.id = j.run_id
         join job_part part on part.job_id = j.id and part.position = p.position join build b on b.id = part.build_id
       where p.machine = $1 order by p.started_at desc, p.fence desc limit $2`,
      [machine, MACHINE_ATTEMPTS_MAX],
    );
    return rows.map((row) => ({
      id: row.id,
      role: row.role,
      number: row.number,
      state: row.state,
      run: { id: row.run_id, name: row.run_name },
      build: row.build,
      verdict: row.verdict,
      isSuspect: row.is_suspect,
      failure: row.failure,
      startedAt: row.started_at.toISOString(),
      endedAt: row.ended_at?.toISOString() ?? null,
      serialLines: row.serial_lines,
    }));
  }

  /** Who wanted what of it, newest first. Throws a 404 problem as above. */
  async changes(machine: string): Promise<MachineChange[]> {
    await this.#require(machine);
    const rows = await this.#sql.rows(
      pick(columnsOf(MachineChangeRow), 'desired', 'event', 'by', 'reason', 'at'),
      'select desired, event, by, reason, at from machine_change where machine = $1 order by number desc limit $2',
      [machine, MACHINE_CHANGES_MAX],
    );
    return rows.map(({ at, ...change }) => ({ ...change, at: at.toISOString() }));
  }

  /** What was different from one inventory to the next, newest first. Throws a 404 problem as above. */
  async inventories(machine: string): Promise<InventoryHistory> {
    await this.#require(machine);
    const rows = await this.#sql.rows(
      pick(columnsOf(MachineInventory), 'seen_at', 'inventory'),
      'select seen_at, inventory from machine_inventory where machine = $1 order by number desc',
      [machine],
    );
    return {
      inventories: rows.map(({ seen_at, inventory }, at) => {
        const before = rows[at + 1]?.inventory;
        return {
          seenAt: seen_at.toISOString(),
          hardware: digestOf(hardwareOf(inventory)),
          state: digestOf(stateOf(inventory)),
          changes: before === undefined ? null : inventoryDrift(before, inventory),
        };
      }),
    };
  }

  async #require(machine: string): Promise<void> {
    const isKnown = await this.#sql.exists('select 1 from machine where name = $1', [machine]);
    if (!isKnown) throw notFound('machine', machine);
  }
}
