import type { Sql } from '../platform/database/sql.js';

const SIZES = [64, 512, 4096, 65_536, 1_048_576];
/** From here on the series is twice as fast. */
const FASTER_FROM = 4096;

/** A bandwidth by message size for each of these attempts, of the base and of a series. @param attempts of `insertBoots` */
export async function insertSizes(sql: Sql, attempts: ReadonlyMap<string, readonly string[]>): Promise<void> {
  for (const [build, ids] of attempts) {
    for (const [boot, id] of ids.entries()) {
      for (const [at, bytes] of SIZES.entries()) {
        const value = Math.sqrt(bytes) * (build !== 'base' && bytes >= FASTER_FROM ? 2 : 1) * (1 + boot / 100);
        await sql.run(
          `insert into measurement (attempt_id, seq, suite, test, name, unit, better, samples, params, lower_quartile,
             median, upper_quartile, stored_at)
           values ($1, $2, 'p2p-pair', 'write', $3, 'MiB/s', 'higher', array[$4::float8], $5, $4, $4, $4, now())`,
          [id, 5000 + at, `ib_write_bw.odp.average.${bytes}`, value, JSON.stringify({ bytes, iterations: 100 })],
        );
      }
    }
  }
}
