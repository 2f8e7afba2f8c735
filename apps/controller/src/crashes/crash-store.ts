import { Injectable } from '@nestjs/common';
import { carriesMutants, LOG_CALLS_MAX, type CallPlace } from '@peerlab/contracts';
import { FleetService } from '../fleet/fleet.service.js';
import { announce } from '../platform/database/bus.js';
import { columnsOf, integer, nullable, pick, time } from '../platform/database/row-shape.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { jsonb, storable } from '../platform/database/storable.js';
import { Participant } from '../schema/attempts.js';
import { Bundle } from '../schema/builds.js';
import { CrashSearchRow, HardwareAlarmRow } from '../schema/crashes.js';
import type { FoundAlarm } from './found-alarms.js';
import type { FoundCrash } from './found-crashes.js';

const REQUESTED = pick(columnsOf(CrashSearchRow), 'participant_id', 'requested_at');
const SEARCHED = {
  ...pick(columnsOf(Participant), 'id', 'attempt_id', 'role'),
  manifest: nullable(columnsOf(Bundle).manifest),
};

/** A participant whose logs are to be searched. */
export interface RequestedSearch {
  participant: string;
  requestedAt: Date;
}

/** Writes crashes, and which logs are still to be searched for them. */
@Injectable()
export class CrashStore {
  readonly #sql: Sql;
  readonly #fleet: FleetService;

  constructor(sql: Sql, fleet: FleetService) {
    this.#sql = sql;
    this.#fleet = fleet;
  }

  /** Its logs are searched soon, or again: it ended, or late evidence of it came. Its attempt is locked by `tx`. */
  async requestSearch(tx: Queries, participant: string): Promise<void> {
    await tx.run(
      `insert into crash_search (participant_id) values ($1)
       on conflict (participant_id) do update set requested_at = clock_timestamp(), failed = 0`,
      [participant],
    );
  }

  /** The oldest requests, at most `limit`. One whose search failed comes later each time: after minutes, then hours. */
  async requested(limit: number): Promise<RequestedSearch[]> {
    const rows = await this.#sql.rows(
      REQUESTED,
      `select participant_id, requested_at from crash_search
       where failed = 0 or requested_at < clock_timestamp() - make_interval(mins => least(5 ^ least(failed, 6), 1440)::int)
       order by requested_at, participant_id limit $1`,
      [limit],
    );
    return rows.map((row) => ({ participant: row.participant_id, requestedAt: row.requested_at }));
  }

  /** Searches that wait; of one attempt or of all. */
  async pending(attempt: string | null): Promise<number> {
    const row = await this.#sql.one(
      { count: integer },
      `select count(*)::int as count from crash_search s join participant p on p.id = s.participant_id
       where $1::uuid is null or p.attempt_id = $1`,
      [attempt],
    );
    return row?.count ?? 0;
  }

  /**
   * What a search needs to know; null when the participant was removed. `release` is null where there was no kernel under
   * test, and of one that carries mutants: what a mutant does to a machine is no crash of the series.
   */
  async searched(participant: string): Promise<{ attempt: string; role: string; release: string | null } | null> {
    const row = await this.#sql.one(
      SEARCHED,
      `select p.id, p.attempt_id, p.role, u.manifest from participant p join attempt t on t.id = p.attempt_id
         join job j on j.id = t.job_id
         join job_part part on part.job_id = j.id and part.role = p.role join build b on b.id = part.build_id left join bundle u on u.key = b.bundle_key
       where p.id = $1 and j.kind = 'test'`,
      [participant],
    );
    if (row === null) return null;
    const { attempt_id: attempt, role, manifest } = row;
    return { attempt, role, release: manifest === null || carriesMutants(manifest) ? null : manifest.release };
  }

  /**
   * Replaces what is stored of a participant, names the test that each ran in, and ends the request, unless another one
   * came meanwhile. A machine with a new uncorrected alarm is taken out of service. A participant that another transaction holds is left for the next time.
   * @returns whether it was stored
   */
  async store(
    { participant, requestedAt }: RequestedSearch,
    { crashes, alarms }: { crashes: readonly FoundCrash[]; alarms: readonly FoundAlarm[] },
  ): Promise<boolean> {
    return this.#sql.transaction(async (tx) => {
      const isLocked = await tx.exists(
        `select 1 from attempt t where t.id = (select attempt_id from participant where id = $1)
         for no key update skip locked`,
        [participant],
      );
      if (!isLocked) return false;
      await tx.run('delete from crash where participant_id = $1', [participant]);
      for (const crash of crashes) await insertCrash(tx, participant, crash);
      await this.#storeAlarms(tx, participant, alarms);
      await tx.run('delete from crash_search where participant_id = $1 and requested_at <= $2', [
        participant,
        // Dates have milliseconds, the column has microseconds.
        new Date(requestedAt.getTime() + 1),
      ]);
      return true;
    });
  }

  async #storeAlarms(tx: Queries, participant: string, alarms: readonly FoundAlarm[]): Promise<void> {
    const added = await tx.rows(
      pick(columnsOf(HardwareAlarmRow), 'severity', 'title', 'device'),
      `insert into hardware_alarm (participant_id, kind, severity, title, device, stream, line, times, at)
       select $1, a.kind, a.severity, a.title, coalesce(a.device, ''), a.stream, a.line, a.times,
         to_timestamp(a."atMs" / 1000)
       from jsonb_to_recordset($2) as a(kind text, severity text, title text, device text, stream text, line bigint,
         times int, "atMs" double precision)
       on conflict do nothing returning severity, title, device`,
      [participant, jsonb(alarms)],
    );
    const urgent = added.find(({ severity }) => severity === 'uncorrected');
    if (urgent === undefined) return;
    const of = await tx.one(
      { ...pick(columnsOf(Participant), 'machine', 'attempt_id'), ended_at: time },
      'select machine, attempt_id, coalesce(ended_at, clock_timestamp()) as ended_at from participant where id = $1',
      [participant],
    );
    if (of?.machine == null) return;
    const device = urgent.device === '' ? '' : ` (${urgent.device})`;
    const reason = `hardware alarm in attempt ${of.attempt_id}: ${urgent.title}${device}`;
    await this.#fleet.takeAlarm(tx, of.machine, { reason, endedAt: of.ended_at });
    await announce(tx, { type: 'changed', topics: ['machines', 'runs'] });
  }

  /** The search failed: it is tried again later. */
  async postpone({ participant }: RequestedSearch): Promise<void> {
    await this.#sql.transaction(async (tx) => {
      await tx.run(
        'select 1 from attempt t where t.id = (select attempt_id from participant where id = $1) for no key update',
        [participant],
      );
      await tx.run(
        'update crash_search set failed = failed + 1, requested_at = clock_timestamp() where participant_id = $1',
        [participant],
      );
    });
  }

  /** Stores where addresses of a participant's reports are in the source; what is known of one stays. Its attempt is locked by `tx`. */
  async putCallPlaces(tx: Queries, participant: string, places: readonly CallPlace[]): Promise<void> {
    for (const { call, frames } of places) {
      await tx.run(
        `insert into call_source (participant_id, call, frames)
         select $1, $2, $3 where (select count(*) from call_source where participant_id = $1) < $4
         on conflict (participant_id, call) do nothing`,
        [participant, storable(call), jsonb(storable(frames)), LOG_CALLS_MAX],
      );
    }
  }

  /** Removes all that is known of participants. */
  async remove(tx: Queries, participants: readonly string[]): Promise<void> {
    await tx.run('delete from call_source where participant_id = any($1)', [participants]);
    await tx.run('delete from crash where participant_id = any($1)', [participants]);
    await tx.run('delete from crash_search where participant_id = any($1)', [participants]);
    await tx.run('delete from hardware_alarm where participant_id = any($1)', [participants]);
  }
}

/**
 * The test is the one whose result names the title: the agent saw which one ran. Where none does, it is the one whose
 * lines of the same stream have the report.
 */
async function insertCrash(tx: Queries, participant: string, crash: FoundCrash): Promise<void> {
  await tx.run(
    `insert into crash (participant_id, key, title, type, severity, corrupted, stream, start_line, end_line, times,
                        frames, taint, at, calls, suite, test)
     select $1::uuid, $2::text, $3::text, $4::text, $5::text, $6::boolean, $7::text, $8::bigint, $9::bigint, $10::int,
       $11::text[], $12::text, to_timestamp($13::double precision / 1000), $14::text[], named.suite, named.test
     from (select 1) always left join lateral (
       select s.suite, s.test from participant p join result s on s.attempt_id = p.attempt_id and s.role = p.role
       where p.id = $1::uuid and (s.signature = $3::text or $3::text = any(s.warnings)
         or (s.log ->> 'stream' = $7::text
           and $8::bigint between (s.log ->> 'fromSeq')::bigint and (s.log ->> 'toSeq')::bigint))
       order by s.signature is distinct from $3::text, not ($3::text = any(s.warnings)), s.position limit 1) named on true`,
    [
      participant,
      crash.key,
      storable(crash.title),
      crash.type,
      crash.severity,
      crash.corrupted,
      crash.stream,
      crash.startLine,
      crash.endLine,
      crash.times,
      storable(crash.frames),
      storable(crash.taint),
      crash.atMs,
      storable(crash.calls),
    ],
  );
}
