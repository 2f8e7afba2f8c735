import { BOOTS_MIN, type Grid, type GridColumn, type MetricNoise } from '@peerlab/contracts';
import type { Queries } from '../platform/database/sql.js';
import type { MetricRow } from './grid-metrics.js';
import { metricKey } from './measured-boots.js';
import { readNoise } from './stored-noise.js';

type Column = { combination: Pick<GridColumn['combination'], 'hash'>; build: Pick<GridColumn['build'], 'id'> };
type NoiseOf = (
  metric: Pick<MetricRow, 'suite' | 'name' | 'unit' | 'better'> & { role?: string | undefined },
) => Grid['metrics'][number]['noise'];

/** Combinations on which two kernels have so many boots that a metric may have a verdict. Pure. */
export function judgedCombinations(columns: readonly Column[]): string[] {
  const boots = new Map<string, Map<string, number>>();
  for (const { combination, build } of columns) {
    const own = boots.get(combination.hash) ?? new Map<string, number>();
    boots.set(combination.hash, own);
    own.set(build.id, (own.get(build.id) ?? 0) + 1);
  }
  const isEnough = (count: number): boolean => count >= BOOTS_MIN;
  return [...boots].flatMap(([hash, own]) => ([...own.values()].filter(isEnough).length >= 2 ? [hash] : []));
}

/** The stored noise of these metrics, by hash of the combination; read only where there may be a verdict. */
export async function readGridNoise(
  sql: Queries,
  columns: readonly Column[],
  metrics: readonly MetricRow[],
): Promise<NoiseOf> {
  const hashes = judgedCombinations(columns);
  const noise = await readNoise(
    sql,
    metrics.flatMap(({ role = null, ...metric }) => hashes.map((combination) => ({ ...metric, role, combination }))),
  );
  return ({ role = null, ...metric }) =>
    Object.fromEntries(
      hashes.flatMap((combination): [string, MetricNoise][] => {
        const known = noise.get(metricKey({ ...metric, role, combination }));
        return known === undefined ? [] : [[combination, known]];
      }),
    );
}
