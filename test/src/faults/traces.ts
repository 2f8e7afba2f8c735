import { type HarnessFault, type Place, refuse, type TraceEvent } from '../model/trace.js';
import type { AttemptRow, Evidence, Finding } from './evidence.js';
import { actionOf, inFlight } from './late-work.js';
import type { Performance } from './perform.js';
import type { FaultKind } from './schedule.js';

/** What happened to two attempts of a job, as the model may explain it. */
export interface Trace {
  /** For messages. */
  name: string;
  events: TraceEvent[];
}

interface Timed {
  atMs: number;
  event: TraceEvent;
}

/** What the schedule did that a trace does not show. */
const HARNESS: Partial<Record<FaultKind, HarnessFault>> = {
  'kill-agent': 'FAULT the agent is killed',
  'freeze-agent': 'FAULT the agent is paused',
};

/** Checks that the model of the lease protocol accepts all that was recorded of a schedule. */
export function explainByModel(evidence: Evidence, performance: Performance): Finding[] {
  const promise = 'the model of the lease protocol accepts what happened';
  const faults = new Set(performance.struck.flatMap((kind) => HARNESS[kind] ?? []));
  return tracesOf(evidence, performance).flatMap(({ name, events }) => {
    // Nothing can be wrong with a trace that holds nothing.
    if (events[0]?.kind !== 'claim') return [{ promise, detail: `${name}: its claim was not recorded first` }];
    const refusal = refuse(events, faults);
    if (refusal === null) return [];
    const before = events.slice(0, refusal.at).map(describe).join(', ');
    return [{ promise, detail: `${name}: ${describe(refusal.event)} cannot follow ${before || 'nothing'}` }];
  });
}

function describe(event: TraceEvent): string {
  const { kind, ...rest } = event;
  const said = Object.entries(rest).map(([key, value]) => `${key} ${value}`);
  return said.length === 0 ? kind : `${kind} (${said.join(', ')})`;
}

/**
 * A trace for every attempt, with the attempt that follows when it was revoked. The model knows two attempts of
 * one job on one machine, which may be those of one role: attempts of other jobs in between are left out, and an attempt after one that its own
 * agent ended is a new job to it.
 */
export function tracesOf(evidence: Evidence, performance: Performance): Trace[] {
  const byJob = new Map<string, AttemptRow[]>();
  for (const attempt of evidence.attempts) {
    const key = `${attempt.job_id} ${attempt.role}`;
    byJob.set(key, [...(byJob.get(key) ?? []), attempt]);
  }
  return [...byJob.values()].flatMap((attempts) =>
    attempts.flatMap((first, index) => {
      const second = first.revoked ? attempts[index + 1] : undefined;
      const isCovered = index > 0 && attempts[index - 1]?.revoked === true && second === undefined;
      return isCovered ? [] : [traceOf(evidence, performance, second === undefined ? [first] : [first, second])];
    }),
  );
}

function traceOf(evidence: Evidence, performance: Performance, attempts: readonly AttemptRow[]): Trace {
  const timed = attempts.flatMap((attempt, index) => {
    const fence: Place = index === 0 ? 1 : 2;
    return [...storedOf(evidence, attempt, fence), ...doneBy(evidence, performance, attempt, fence)];
  });
  const claimedMs = Math.min(...timed.flatMap(({ atMs, event }) => (event.kind === 'claim' ? [atMs] : [])));
  timed.push(...around(evidence, attempts).filter(({ atMs }) => atMs >= claimedMs));
  timed.sort((a, b) => a.atMs - b.atMs);
  const [first] = attempts;
  const fences = attempts.map((attempt) => attempt.fence).join(' and ');
  return { name: `${first?.machine}, fence ${fences}`, events: timed.map(({ event }) => event) };
}

/** What the controllers wrote about an attempt. */
function storedOf({ changes, streams }: Evidence, attempt: AttemptRow, fence: Place): Timed[] {
  const own = changes.filter(
    ({ table, row }) =>
      (table === 'participant' ? row['id'] : table === 'stream' && row['participant_id']) === attempt.id,
  );
  const missing = new Map(
    streams
      .filter(({ attempt_id, stream, next }) => attempt_id === attempt.id && stream !== 'events' && next > 0)
      .map(({ stream, next }) => [stream, next]),
  );
  const events: Timed[] = [];
  let state: unknown = 'none';
  let isFinished = false;
  for (const at of new Set(own.map(({ tx }) => tx))) {
    const transaction = own.filter(({ tx }) => tx === at);
    const atMs = transaction[0]?.atMs ?? 0;
    const rows = transaction.filter(({ table }) => table === 'participant').map(({ row }) => row);
    const counters = transaction.filter(({ table }) => table === 'stream').map(({ row }) => row);
    const now = rows.at(-1);
    for (const { stream, next } of counters) {
      if (typeof stream !== 'string' || missing.get(stream) !== next || !missing.delete(stream)) continue;
      if (missing.size === 0) events.push({ atMs, event: { kind: 'log-complete', fence } });
    }
    const ends: boolean = !isFinished && counters.some(({ expected }) => expected !== null);
    isFinished ||= ends;
    const restored = (now?.['restored'] ?? null) as boolean | null;
    if (now !== undefined && now['state'] !== state) {
      if (now['state'] === 'ended') {
        const revoked = now['revoked_at'] !== null;
        events.push({ atMs, event: { kind: 'end', fence, revoked, finished: ends, restored } });
      } else if (now['state'] === 'running') {
        events.push({ atMs, event: { kind: 'accept', fence } });
      } else {
        events.push({ atMs, event: { kind: state === 'none' ? 'claim' : 'assign-again', fence } });
      }
      state = now['state'];
    } else if (ends) {
      events.push({ atMs, event: { kind: 'late-end', fence, restored } });
    }
  }
  return events;
}

/** What the machine saw of an attempt. */
function doneBy(evidence: Evidence, performance: Performance, attempt: AttemptRow, fence: Place): Timed[] {
  const lease = evidence.leases.find((one) => one.fence === attempt.fence);
  return evidence.truth.flatMap((seen): Timed[] => {
    const action = actionOf(seen);
    if (action?.fence !== attempt.fence) return [];
    const { atMs, kind, restoring } = action;
    // The model's agent does nothing more once it is paused, not even what is under way.
    if (lease !== undefined && inFlight(atMs, lease, performance) !== null) return [];
    if (kind === 'claim') return [{ atMs, event: { kind: 'begin', fence } }];
    if (restoring) return [{ atMs, event: { kind: 'restore', fence } }];
    return [{ atMs, event: { kind: 'work', fence, tests: kind === 'test' } }];
  });
}

/** What happened to the run and the machine of attempts. */
function around({ changes, jobs }: Evidence, attempts: readonly AttemptRow[]): Timed[] {
  const run = jobs.find(({ id }) => id === attempts[0]?.job_id)?.run_id;
  const machine = attempts[0]?.machine;
  return changes.flatMap(({ atMs, table, row }): Timed[] => {
    if (table === 'run' && row['id'] === run) return [{ atMs, event: { kind: 'cancel' } }];
    if (table === 'machine' && row['name'] === machine && row['desired'] === 'active') {
      return [{ atMs, event: { kind: 'mend' } }];
    }
    return [];
  });
}
