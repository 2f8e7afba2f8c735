/** SQL: who has the machine `m`, as ReservedFor; null = nobody. */
const RESERVED = `case when m.reserved is not null then (
  select jsonb_build_object('holder', r.holder, 'reason', r.reason, 'state', r.state,
    'until', to_char(r.until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) from reservation r where r.id = m.reserved) end`;

/** SQL: a machine `m` with its agent `a` as the MachineFacts of waiting.ts, in JSON. */
export const MACHINE_FACTS = `jsonb_build_object(
  'name', m.name, 'desired', m.desired, 'agent', m.agent, 'agentOnline', agent_online(a),
  'agentLastSeenAt', to_char(a.last_seen_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
  'reserved', ${RESERVED}, 'reachable', m.reachable, 'problem', m.problem,
  'slots', case when a.test_slots is not null then jsonb_build_object('total', a.test_slots, 'taken', (
    select count(*) from lease l where l.agent = a.name and l.machine is not null and l.released_at is null)) end,
  'leased', exists (select 1 from lease l where l.machine = m.name and l.released_at is null))`;

/** SQL: how many agents build, and are online. */
export const BUILDERS = `(select count(*) from agent a where 'build' = any(a.capabilities) and a.build_slots > 0 and agent_online(a))`;
