import {
  BASES_MAX,
  FARM_LAB_SUITES_MAX,
  REPOSITORIES_MAX,
  type Catalogue,
  type FarmCatalogue,
} from '@peerlab/contracts';
import { bool, columnsOf, pick } from '../platform/database/row-shape.js';
import { prepared, type Queries } from '../platform/database/sql.js';
import { Agent } from '../schema/fleet.js';

const TELLER = { ...pick(columnsOf(Agent), 'catalogue'), online: bool, builds: bool };

const TOLD = prepared(
  `select a.catalogue, agent_online(a) as online, 'build' = any(a.capabilities) as builds from agent a
   where a.catalogue is not null or 'build' = any(a.capabilities)
   order by online desc, a.last_seen_at desc, a.name`,
);

/** What an agent told, and whether it builds kernels; null = it is older than the catalogue. */
export interface Told {
  catalogue: Catalogue | null;
  builds: boolean;
}

/**
 * What the farm can build: what its builders say that are connected; while none is, what the one said that was
 * connected last. Suites of labs are those that their agents named last. Where two say different things of one name,
 * the one that was seen last is believed.
 */
export async function readCatalogue(queries: Queries): Promise<FarmCatalogue> {
  const agents = await queries.rows(TELLER, TOLD);
  const builders = agents.filter(({ builds }) => builds);
  const online = builders.filter((builder) => builder.online);
  const believed = new Set(online.length > 0 ? online : builders.slice(0, 1));
  return farmCatalogue(agents.map((agent) => ({ catalogue: agent.catalogue, builds: believed.has(agent) })));
}

/** The catalogues of several agents as one, the most credible first. */
export function farmCatalogue(told: readonly Told[]): FarmCatalogue {
  const builders = told.filter(({ builds }) => builds);
  const known = builders.flatMap(({ catalogue }) => catalogue ?? []);
  const labSuites = firstOfEachName(told.flatMap(({ catalogue }) => catalogue?.labSuites ?? []));
  return {
    suites: firstOfEachName(known.flatMap(({ suites }) => suites)),
    configs: firstOfEachName(known.flatMap(({ configs }) => configs)),
    labSuites: labSuites.slice(0, FARM_LAB_SUITES_MAX),
    repositories: repositoriesOf(known),
    configFiles: known.some(({ configFiles = false }) => configFiles),
    bases: [...new Set(known.flatMap(({ bases = [] }) => bases))].toSorted().slice(0, BASES_MAX),
    isComplete: builders.length > 0 && known.length === builders.length,
    waitsFor:
      builders.length > 0
        ? null
        : 'a builder, which tells what can be built and run: start an agent with the capability build',
  };
}

/** What the builders allow together; null when none of them knows other sources than the farm's base. */
function repositoriesOf(known: readonly Catalogue[]): string[] | null {
  const told = known.flatMap(({ repositories }) => (repositories === undefined ? [] : [repositories]));
  return told.length === 0 ? null : [...new Set(told.flat())].toSorted().slice(0, REPOSITORIES_MAX);
}

function firstOfEachName<T extends { name: string }>(all: readonly T[]): T[] {
  const byName = new Map<string, T>();
  for (const each of all) if (!byName.has(each.name)) byName.set(each.name, each);
  return [...byName.values()];
}
