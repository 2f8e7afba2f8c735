import { isDeepStrictEqual } from 'node:util';
import {
  type ExpectedPath,
  LINUX_PATH_RULE,
  pairOf,
  type PathKind,
  type PathPrediction,
  type PathRule,
  type PeerPath,
  predictPath,
  type Proof,
} from '@peerlab/contracts';
import { columnsOf, json, pick } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { jsonb } from '../platform/database/storable.js';
import { Participant } from '../schema/attempts.js';
import { Machine } from '../schema/fleet.js';

const TESTED = {
  ...pick(columnsOf(Participant), 'id'),
  machine: columnsOf(Machine).name,
  path: json<PeerPath>(),
  rule: json<PathRule>(),
};
const INVENTORY = pick(columnsOf(Machine), 'name', 'inventory');

/**
 * Notes of participants that were just opened which path the very kernel that they boot is expected to take, by the rule of its
 * source. Nothing is noted where that is the path of the combination, and for bundles that do not tell their rule.
 */
export async function notePredictions(tx: Queries, jobIds: readonly string[]): Promise<void> {
  const tested = await tx.rows(
    TESTED,
    `select p.id, p.machine, part.path, u.manifest -> 'pathRule' as rule
     from attempt t join participant p on p.attempt_id = t.id
       join job_part part on part.job_id = t.job_id and part.position = p.position
       join build b on b.id = part.build_id join bundle u on u.key = b.bundle_key
     where t.job_id = any($1) and p.state = 'assigned' and p.machine is not null and part.path is not null
       and u.manifest -> 'pathRule' is not null`,
    [jobIds],
  );
  // Most kernels have the rule that the machine's own paths were predicted by.
  const others = tested.filter(({ rule }) => !isDeepStrictEqual(rule, LINUX_PATH_RULE));
  if (others.length === 0) return;
  const machines = await tx.rows(INVENTORY, 'select name, inventory from machine where name = any($1)', [
    [...new Set(others.map(({ machine }) => machine))],
  ]);
  const inventories = new Map(machines.map(({ name, inventory }) => [name, inventory]));
  const noted = others.flatMap(({ id, machine, path, rule }) => {
    const inventory = inventories.get(machine) ?? null;
    const prediction = inventory === null ? null : predictPath(inventory, pairOf(path), rule);
    return prediction === null || prediction.kind === path.kind ? [] : [{ id, prediction }];
  });
  if (noted.length === 0) return;
  await tx.run(
    `update participant p set prediction = n.prediction
     from jsonb_to_recordset($1) as n(id uuid, prediction jsonb) where p.id = n.id`,
    [jsonb(noted)],
  );
}

/** What a participant's results are judged by. A build has no path. */
export function expectedOf(prediction: PathPrediction | null, ofCombination: PathKind | null): ExpectedPath {
  if (prediction !== null) return prediction.kind ?? 'unknown';
  return ofCombination ?? 'NOT_SUPPORTED';
}

/** The proof as it is stored: whatever its sender says, the prediction is the controller's. */
export function withPrediction<T extends Proof | null>(proof: T, prediction: PathPrediction | null): T {
  if (proof === null) return proof;
  const { predicted: _claimed, ...told } = proof;
  return { ...told, ...(prediction === null ? {} : { predicted: prediction.kind ?? 'unknown' }) } as T;
}
