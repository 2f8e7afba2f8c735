/**
 * SQL: the addresses of `crash c` that are placed in the source, in the order of its report, as CallPlace[]. A report of
 * one participant has its own places: the same name is elsewhere in another kernel.
 */
export const CALL_SOURCES = `coalesce((
  select jsonb_agg(jsonb_build_object('call', s.call, 'frames', s.frames) order by named.place)
  from unnest(c.calls) with ordinality as named(call, place)
    join call_source s on s.participant_id = c.participant_id and s.call = named.call), '[]')`;
