import { Injectable } from '@nestjs/common';
import { USE_DAYS, type MachineUse } from '@peerlab/contracts';
import { columnsOf, floats, integer } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';
import { Machine } from '../schema/fleet.js';

const USE = { machine: columnsOf(Machine).name, queued: integer, days: floats };

/** Reads how much the machines have to do: their queues and how long they were leased. */
@Injectable()
export class MachineUseView {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** All machines by name. A lease counts from when it was acquired until it was released, or until now. */
  async all(): Promise<MachineUse[]> {
    return this.#sql.rows(
      USE,
      `with day as (
         select place, clock_timestamp() - ($1 - place) * interval '1 day' as until,
           clock_timestamp() - ($1 - place + 1) * interval '1 day' as since
         from generate_series(1, $1::int) as place),
       waiting as (
         select part.machine, count(*)::int as queued from job j join job_part part on part.job_id = j.id
         where j.kind = 'test' and j.state = 'queued' group by part.machine)
       select m.name as machine, coalesce(waiting.queued, 0) as queued, array_agg(used.share order by day.place) as days
       from machine m cross join day
         left join waiting on waiting.machine = m.name
         cross join lateral (
           -- Clocks that were set back must not make a share larger than the day.
           select least(1, coalesce(sum(extract(epoch from least(coalesce(l.released_at, day.until), day.until)
                                                           - greatest(l.acquired_at, day.since))) / 86400, 0))::float8 as share
           from lease l
           where l.machine = m.name and (l.released_at is null or l.released_at > day.since)
             and l.acquired_at < day.until) used
       group by m.name, waiting.queued order by m.name`,
      [USE_DAYS],
    );
  }
}
