import { Injectable } from '@nestjs/common';
import { FOUND_IDS_MAX, type FoundId, type IdKind } from '@peerlab/contracts';
import { text, uuid } from '../platform/database/row-shape.js';
import { Sql } from '../platform/database/sql.js';

const FOUND = { kind: text, id: uuid, name: text };

/** SQL of each kind, with the bounds of the id as $1 and $2. Each reads the primary key's index. */
const KINDS: Record<IdKind, string> = {
  run: 'select x.id, x.name from run x',
  attempt: `select x.id, coalesce(j.machine, 'build') || ' / ' || b.name as name
    from attempt x join job j on j.id = x.job_id join build b on b.id = j.build_id`,
  build: 'select x.id, x.name from build x',
  job: `select x.id, coalesce(x.machine, 'build') || ' / ' || b.name as name from job x join build b on b.id = x.build_id`,
};

const STATEMENT = Object.entries(KINDS)
  .map(
    ([kind, select]) =>
      `(select '${kind}'::text as kind, found.* from (${select} where x.id between $1 and $2 order by x.id limit ${FOUND_IDS_MAX}) found)`,
  )
  .join(' union all ');

/** Finds what an id that a person typed only the beginning of names. */
@Injectable()
export class IdFinder {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /**
   * Runs, attempts, builds and jobs whose ids begin so, FOUND_IDS_MAX of each kind at most, in the order of kinds and
   * ids. Postgres orders UUIDs by their digits.
   * @param prefix an IdPrefix of the contracts
   */
  async find(prefix: string): Promise<FoundId[]> {
    const digits = prefix.replaceAll('-', '');
    const rows = await this.#sql.rows(FOUND, STATEMENT, [digits.padEnd(32, '0'), digits.padEnd(32, 'f')]);
    return rows.map(({ kind, ...row }) => ({ kind: kind as IdKind, ...row }));
  }
}
