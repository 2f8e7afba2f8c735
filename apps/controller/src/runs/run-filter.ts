import { VERDICT_TABLE, VERDICTS, type RunFilter } from '@peerlab/contracts';
import { storable } from '../platform/database/storable.js';

/**
 * Conditions of a filter on the table `run`, to be put behind a `where`, with their values.
 * @param first number of the first parameter
 */
export function runConditions(filter: RunFilter, first: number): { sql: string; values: unknown[] } {
  const conditions: string[] = [];
  const values: unknown[] = [];
  const add = (value: unknown, condition: (parameter: string) => string): void => {
    if (value === undefined) return;
    conditions.push(condition(`$${first + values.length}`));
    values.push(storable(value));
  };
  const { purpose = 'test', q, verdict, state, kernel, machine, submitter, from, until } = filter;
  add(purpose, (p) => `run.purpose = ${p}`);
  add(q, (p) => `position(lower(${p}) in lower(run.name)) > 0`);
  add(
    verdict === 'wrong' ? VERDICTS.filter((each) => VERDICT_TABLE[each].wrong) : verdict && [verdict],
    (p) => `run.state = 'ended' and run.verdict = any(${p}::text[])`,
  );
  add(state === 'open' ? ['queued', 'running'] : state && [state], (p) => `run.state = any(${p}::text[])`);
  add(
    kernel,
    (p) => `exists (select 1 from build b left join bundle u on u.key = b.bundle_key where b.run_id = run.id
      and (b.name = ${p} or u.manifest ->> 'release' = ${p} or starts_with(u.manifest ->> 'buildId', lower(${p}))))`,
  );
  add(
    machine,
    (p) => `run.id in (select run_id from job where machine = ${p} union all
    select j.run_id from job_role o join job j on j.id = o.job_id where o.machine = ${p})`,
  );
  add(submitter, (p) => `run.submitted_by = ${p}`);
  add(from, (p) => `run.created_at >= ${p}::date::timestamp at time zone 'UTC'`);
  add(until, (p) => `run.created_at < (${p}::date + 1)::timestamp at time zone 'UTC'`);
  return { sql: ['true', ...conditions].join(' and '), values };
}
