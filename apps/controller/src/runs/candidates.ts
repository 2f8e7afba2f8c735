import { type Labels, VERDICT_TABLE, VERDICTS } from '@peerlab/contracts';
import { json, text } from '../platform/database/row-shape.js';
import type { Queries } from '../platform/database/sql.js';
import { MACHINE_FACTS } from './waiting-facts.js';
import type { CandidateFacts } from './waiting.js';

/** What a job asks of its machine; all of it must hold. */
export interface MachineWish {
  combination: string;
  /** Which of the machine's pairs of the combination is tested, from 0. */
  pair: number;
  /** No other machine will do; null = any. */
  onlyMachine: string | null;
  labels: Labels;
  /** Its suites are partly the run's own, which older agents cannot run. */
  ownSuites: boolean;
  /** It is a health check, which a machine takes that does not serve yet. */
  forHealth?: boolean;
}

/** SQL condition: the machine `m` with its path `p` is what the job (an alias with these columns) asks for. */
export const fitsWish = (job: string): string => `p.machine = m.name and p.combination = ${job}.combination
  and p.ordinal = ${job}.pair and (${job}.only_machine is null or ${job}.only_machine = m.name) and m.labels @> ${job}.labels
  and (not ${job}.own_suites or exists (select 1 from agent o where o.name = m.agent and o.catalogue is not null))`;

/** SQL condition: the machine `m` serves jobs of this kind. @param forHealth SQL: whether it is a health check */
export const serves = (forHealth: string): string => `(m.unproven is null or ${forHealth})`;

/** Verdicts of boots that were disturbed as a whole, as an array of SQL. */
const DISTURBED = `'{${VERDICTS.filter((verdict) => VERDICT_TABLE[verdict].spoilsBoot).join(',')}}'::text[]`;

/**
 * SQL condition: the modules of the bundle of a build (`id`, in SQL) take the devices that they are told; others take what
 * they find first.
 */
export const bindsAny = (id: string): string => `exists (
  select 1 from build b join bundle u on u.key = b.bundle_key where b.id = ${id} and u.manifest ? 'binds')`;

/**
 * SQL: the machine that the boots of a job's lane stay on, because one of them has run there; null when any may take it.
 * A boot that ended as trouble of the lab says nothing that could be compared.
 * @param position of the role, in SQL
 */
export const laneMachine = (job: string, position = '0'): string => `(
  select o.machine from job e join job_part o on o.job_id = e.id
  where e.run_id = ${job}.run_id and e.lane = ${job}.lane and e.id <> ${job}.id and o.position = ${position} and o.machine is not null
    and (e.state = 'running' or e.state = 'ended' and e.verdict <> all (${DISTURBED})) limit 1)`;

/** SQL: what the role `part` of a job asks of its machine, as MachineWish. */
export const wishOfPart = (job: string, part: string): string =>
  `jsonb_build_object('combination', ${part}.combination, 'pair', ${part}.pair, 'onlyMachine',
     coalesce(${part}.only_machine, case when ${job}.lane is not null then ${laneMachine(job, `${part}.position`)} end),
     'labels', ${part}.labels, 'ownSuites', ${part}.own_suites, 'forHealth', ${job}.purpose = 'health')`;

/** What a role of a job asks for, as a test waits. */
export interface RoleWish {
  role: string;
  buildId: string;
  build: string;
  isBuilt: boolean;
  /** Label of the combination. */
  combination: string;
  wish: MachineWish;
}

/** SQL: what the roles of a test ask of their machines, as RoleWish in their order; none for builds. */
export const rolesColumn = (job: string): string =>
  `coalesce((select jsonb_agg(jsonb_build_object('role', part.role, 'buildId', part.build_id, 'build', part.build_name,
       'isBuilt', (select state = 'ready' from build where id = part.build_id), 'combination', k.label, 'wish', ${wishOfPart(job, 'part')}) order by part.position)
     from job_part part join combination k on k.hash = part.combination where part.job_id = ${job}.id), '[]')`;

/** SQL condition: the two jobs, neither with a machine yet, want the same machine, or may have to. Nearly: labels are not looked at. */
export const competes = (a: string, b: string): string => `(${a}.only_machine is not distinct from ${b}.only_machine
  and (${a}.only_machine is not null or ${a}.combination is not distinct from ${b}.combination)
  or ${a}.combination = ${b}.combination and (${a}.only_machine is null or ${b}.only_machine is null))`;

/** Agents from this protocol on know what a job with several roles is. */
export const ROLES_PROTOCOL = 5;

/** Names a wish: those of equal jobs are equal. */
export const wishKey = ({
  combination,
  pair,
  onlyMachine,
  labels,
  ownSuites,
  forHealth = false,
}: MachineWish): string =>
  JSON.stringify([
    combination,
    pair,
    onlyMachine,
    ownSuites,
    forHealth,
    Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  ]);

/** The machines that meet each wish, by name, with what decides whether they take a job now; by the wish's key. */
export async function readCandidates(
  sql: Queries,
  wishes: readonly MachineWish[],
): Promise<Map<string, CandidateFacts[]>> {
  const distinct = new Map(wishes.map((wish) => [wishKey(wish), wish]));
  if (distinct.size === 0) return new Map();
  const rows = await sql.rows(
    { key: text, machines: json<CandidateFacts[]>() },
    `select w.key, coalesce(f.machines, '[]') as machines
     from jsonb_to_recordset($1)
         as w(key text, combination text, pair int, only_machine text, labels jsonb, own_suites boolean, for_health boolean)
       left join lateral (
         select jsonb_agg(${MACHINE_FACTS} || jsonb_build_object('takesPair', p.position = 0 or a.binds_pairs,
                    'takesRoles', a.protocol >= ${ROLES_PROTOCOL}, 'labels', m.labels,
                    'unproven', case when not w.for_health then m.unproven end)
                  order by m.name) as machines
         from machine_path p join machine m on m.name = p.machine join agent a on a.name = m.agent
         where ${fitsWish('w')}) f on true`,
    [
      JSON.stringify(
        [...distinct].map(([key, { onlyMachine, ownSuites, forHealth = false, ...wish }]) => ({
          key,
          only_machine: onlyMachine,
          own_suites: ownSuites,
          for_health: forHealth,
          ...wish,
        })),
      ),
    ],
  );
  return new Map(rows.map(({ key, machines }) => [key, machines]));
}
