import type { Combination } from '@peerlab/contracts';
import { columnsOf, pick } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { CombinationRow } from '../schema/fleet.js';
import { IS_TESTED } from './tested-jobs.js';

export const COMBINATION = pick(columnsOf(CombinationRow), 'hash', 'label', 'identity');

/** The combinations with these hashes, in any order. */
export async function readCombinations(sql: Queries, hashes: ReadonlySet<string>): Promise<Combination[]> {
  if (hashes.size === 0) return [];
  return sql.rows(COMBINATION, 'select hash, label, identity from combination where hash = any($1)', [[...hashes]]);
}

/** The combinations on which something was tested, by label. */
export function readTestedCombinations(sql: Queries): Promise<Combination[]> {
  return sql.rows(
    COMBINATION,
    `select hash, label, identity from combination c
     where exists (select 1 from job where combination = c.hash and ${IS_TESTED}) order by label, hash`,
  );
}
