import { nullable, json, text } from './row-shape.js';

/**
 * SQL: joins to job `j` the build `b` that one of its roles boots, with its bundle `u`; `o` is the row of that role, which a
 * job with one role does not have. @param role which one; null = the first one
 */
export const kernelOf = (role: string): string => `left join job_role o on o.job_id = j.id and o.role = ${role}
  join build b on b.id = coalesce(o.build_id, j.build_id) left join bundle u on u.key = b.bundle_key`;

/**
 * SQL: the kernels of all roles of job `j` in their order, by build-id, as one text; null where it has one role. A kernel
 * without a build-id is the same only as that of its own build.
 */
export const ROLE_KERNELS_SQL = `(
  select string_agg(coalesce(u.manifest ->> 'buildId', b.id::text), ' ' order by o.position)
  from job_role o join build b on b.id = o.build_id left join bundle u on u.key = b.bundle_key where o.job_id = j.id)`;

/** The columns of `SIDE_SQL`, as TestedSide has them. */
export const SIDE = { role: nullable(text), facing: nullable(json<{ role: string; build: string }>()) };

/** SQL: which side of its job `j` the role `o` of `kernelOf` is; nulls where it has one. */
export const SIDE_SQL = `o.role as role, case when o.position > 0 then (
  select jsonb_build_object('role', f.role, 'build', f.build_name) from job_role f where f.job_id = j.id and f.position = 0
) end as facing`;

/** A side as the API names it. */
export const sideOf = ({ role, facing }: { role: string | null; facing: { role: string; build: string } | null }) => ({
  ...(role === null ? {} : { role }),
  ...(facing === null ? {} : { facing }),
});
