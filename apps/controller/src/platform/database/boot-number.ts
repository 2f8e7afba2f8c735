/** SQL: which boot of run `r` with `repeat` the job `j` is, as BootNumber; null for other jobs. */
export const BOOT = `case when j.round is not null then jsonb_build_object('number', j.round,
  'of', greatest(j.round, coalesce((r.spec ->> 'repeat')::int, 1))) end`;
