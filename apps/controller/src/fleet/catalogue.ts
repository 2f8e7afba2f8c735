import type { Catalogue, FarmCatalogue } from '@peerlab/contracts';
import { bool, columnsOf, pick } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { Agent } from '../schema/fleet.js';

const BUILDER = { ...pick(columnsOf(Agent), 'catalogue'), online: bool };

/**
 * What the farm can build: what its builders say that are connected; while none is, what the one said that was
 * connected last. Where two say different things of one name, the one that was seen last is believed.
 */
export async function readCatalogue(queries: Queries): Promise<FarmCatalogue> {
  const builders = await queries.rows(
    BUILDER,
    `select a.catalogue, agent_online(a) as online from agent a where 'build' = any(a.capabilities)
     order by online desc, a.last_seen_at desc, a.name`,
  );
  const online = builders.filter((builder) => builder.online);
  return farmCatalogue((online.length > 0 ? online : builders.slice(0, 1)).map(({ catalogue }) => catalogue));
}

/** The catalogues of several builders as one, the most credible first; null = a builder that tells none. */
export function farmCatalogue(told: readonly (Catalogue | null)[]): FarmCatalogue {
  const known = told.flatMap((catalogue) => catalogue ?? []);
  return {
    suites: firstOfEachName(known.flatMap(({ suites }) => suites)),
    configs: firstOfEachName(known.flatMap(({ configs }) => configs)),
    isComplete: told.length > 0 && known.length === told.length,
    waitsFor:
      told.length > 0
        ? null
        : 'a builder, which tells what can be built and run: start an agent with the capability build',
  };
}

function firstOfEachName<T extends { name: string }>(all: readonly T[]): T[] {
  const byName = new Map<string, T>();
  for (const each of all) if (!byName.has(each.name)) byName.set(each.name, each);
  return [...byName.values()];
}
