import { mayAct } from './agent-steps.js';
import { ALL_RULES, Agent, type Attempt, type Farm, Job, Phase, Restored, State, copyOf, hasJob } from './farm.js';
import { leaseProtocol } from './lease-protocol.js';

/** Place of an attempt in the model, which is its fence there. */
export type Place = 1 | 2;

/** What was seen of a real farm: in its database, or at the machine. */
export type TraceEvent =
  | { kind: 'claim' | 'accept' | 'assign-again' | 'log-complete'; fence: Place }
  /** The attempt ended in the database. `finished` = by the agent's last event. */
  | { kind: 'end'; fence: Place; revoked: boolean; finished: boolean; restored: boolean | null }
  /** The agent's last event of an attempt that had been revoked. */
  | { kind: 'late-end'; fence: Place; restored: boolean | null }
  | { kind: 'cancel' | 'mend' }
  /** The machine wrote down the fence. */
  | { kind: 'begin'; fence: Place }
  /** An action that needs the lease; `tests` = the kernel under test is run. */
  | { kind: 'work'; fence: Place; tests: boolean }
  | { kind: 'restore'; fence: Place };

/** Where a trace leaves the model. */
export interface Refusal {
  /** Index of the first event that no path of the model explains. */
  at: number;
  event: TraceEvent;
  /** States that were looked at. */
  states: number;
}

/** Faults of the model that cannot be seen in a trace and may happen at any time in it. */
const HIDDEN_FAULTS = new Set([
  'FAULT heartbeats are held up',
  'FAULT the connection breaks, its frames are lost',
  'FAULT the machine cannot be restored',
  'FAULT the agent declines the assignment',
  'FAULT the job of the attempt fails',
  'FAULT a person cancels the run',
]);
/** Those that only the suite causes. */
export type HarnessFault = 'FAULT the agent is killed' | 'FAULT the agent is paused';

/** What a trace shows of a state. Hidden steps change none of it. */
function shown({ attempts, canceled, begun }: Farm): Record<string, number> {
  return {
    canceled,
    begun,
    ...Object.fromEntries(
      attempts.flatMap((attempt, index) => shownOf(attempt).map(([key, n]) => [`${key}${index + 1}`, n])),
    ),
  };
}
const shownOf = (attempt: Attempt): [string, number][] => [
  ['state', attempt.state],
  ['revoked', attempt.revoked],
  ['restored', attempt.restored],
  ['log', attempt.log],
  ['finished', isFinished(attempt) ? 1 : 0],
];

/** Asked for every step, so without making objects. */
function looksAlike(before: Farm, after: Farm): boolean {
  return (
    before.canceled === after.canceled &&
    before.begun === after.begun &&
    before.attempts.every((one, index) => {
      const other = after.attempts[index === 0 ? 0 : 1];
      return (
        one.state === other.state &&
        one.revoked === other.revoked &&
        one.restored === other.restored &&
        one.log === other.log &&
        isFinished(one) === isFinished(other)
      );
    })
  );
}

/** The agent's last event is stored. */
const isFinished = ({ final, events, madeEvents }: Attempt): boolean => final === 1 && events === madeEvents;

/** Shown values that differ. */
function changes(before: Farm, after: Farm): Record<string, number> {
  const [old, now] = [shown(before), shown(after)];
  return Object.fromEntries(Object.entries(now).filter(([key, value]) => old[key] !== value));
}

const attemptOf = (farm: Farm, fence: Place): Attempt => farm.attempts[fence === 1 ? 0 : 1];

/** Whether what changed with a step is what the event says. */
function explains(event: TraceEvent, before: Farm, after: Farm, changed: Record<string, number>): boolean {
  switch (event.kind) {
    case 'claim':
      return isOnly(changed, { [`state${event.fence}`]: State.assigned });
    case 'accept':
      return isOnly(changed, { [`state${event.fence}`]: State.running });
    case 'assign-again':
      return (
        attemptOf(before, event.fence).state === State.running &&
        isOnly(changed, { [`state${event.fence}`]: State.assigned })
      );
    case 'log-complete':
      return isOnly(changed, { [`log${event.fence}`]: 1 });
    case 'begin':
      return isOnly(changed, { begun: event.fence });
    case 'cancel':
      return isOnly(changed, { canceled: 1 });
    case 'end': {
      const { state, revoked } = attemptOf(after, event.fence);
      return (
        isOf(changed, event.fence, ['state', 'revoked', 'restored', 'finished']) &&
        attemptOf(before, event.fence).state !== State.ended &&
        state === State.ended &&
        (revoked === 1) === event.revoked &&
        (changed[`finished${event.fence}`] === 1) === event.finished &&
        isRestored(after, event)
      );
    }
    case 'late-end':
      return (
        isOf(changed, event.fence, ['restored', 'finished']) &&
        attemptOf(after, event.fence).revoked === 1 &&
        changed[`finished${event.fence}`] === 1 &&
        isRestored(after, event)
      );
    case 'mend':
    case 'work':
    case 'restore':
      return false;
  }
}

function isOnly(changed: Record<string, number>, expected: Record<string, number>): boolean {
  const keys = Object.keys(changed);
  return (
    keys.length === Object.keys(expected).length && Object.entries(expected).every(([key, n]) => changed[key] === n)
  );
}

const isOf = (changed: Record<string, number>, fence: Place, keys: readonly string[]): boolean =>
  Object.keys(changed).every((key) => keys.some((allowed) => key === `${allowed}${fence}`));

function isRestored(farm: Farm, { fence, restored }: { fence: Place; restored: boolean | null }): boolean {
  const value = attemptOf(farm, fence).restored;
  // Null at the end = a newer attempt has the machine, which the model takes for restored.
  if (restored === null) return value !== Restored.no;
  return value === (restored ? Restored.yes : Restored.no);
}

/** The state after an event that is no step of the model but has to fit the state; null = it does not. */
function without(event: TraceEvent, farm: Farm): Farm | null {
  switch (event.kind) {
    case 'cancel':
      // Other jobs of the run are open.
      return farm.job === Job.ended ? farm : null;
    case 'log-complete':
      // All that the attempt wrote was about itself: the model's line is one of a test.
      return attemptOf(farm, event.fence).madeLog === 0 ? farm : null;
    case 'begin':
      return farm.begun === event.fence ? farm : null;
    case 'work': {
      const attempt = attemptOf(farm, event.fence);
      const phases: number[] = event.tests ? [Phase.tested] : [Phase.flashed, Phase.tested];
      const fits = farm.agent === Agent.up && farm.begun === event.fence && phases.includes(attempt.phase);
      return fits && mayAct(attempt, ALL_RULES) ? farm : null;
    }
    case 'restore': {
      const fits = farm.agent === Agent.up && farm.begun <= event.fence && hasJob(attemptOf(farm, event.fence));
      return fits ? farm : null;
    }
    case 'mend':
      return { ...copyOf(farm), quarantined: 0, kernel: 0 };
    default:
      return null;
  }
}

/**
 * Looks for a path of the model that shows exactly these events, in this order. What a trace does not show may
 * happen in between, any number of times, as far as `faults` allow it. Null = there is one.
 * @param maxStates more than that are an error: the trace says too little
 */
export function refuse(
  events: readonly TraceEvent[],
  faults: ReadonlySet<HarnessFault>,
  maxStates = 1_000_000,
): Refusal | null {
  const model = leaseProtocol(1);
  const allowed = new Set<string>([...HIDDEN_FAULTS, ...faults]);
  const kept = model.invariants.filter(({ promise }) => promise !== 'a machine that was not restored is quarantined');
  const seen = new Set<string>();
  /** States that explain the first so many events, to be looked at. */
  const queues: string[][] = [];
  let states = 0;
  let furthest = 0;
  const add = (position: number, farm: Farm): void => {
    // What may happen once may happen again.
    farm.faults = 1;
    const text = model.encode(farm);
    const key = `${position} ${text}`;
    if (seen.has(key) || kept.some((invariant) => invariant.broken(farm) !== null)) return;
    seen.add(key);
    (queues[position] ??= []).push(text);
    furthest = Math.max(furthest, position);
  };
  add(0, copyOf(model.initial));
  // The furthest first: a trace that fits is explained without looking at all that could have been.
  for (let position = furthest; position >= 0; position = last(queues)) {
    const text = queues[position]?.shift();
    if (text === undefined) {
      queues.length = position;
      continue;
    }
    const event = events[position];
    if (event === undefined) return null;
    states += 1;
    if (states > maxStates) throw new Error(`more than ${maxStates} states for event ${furthest} of ${events.length}`);
    const farm = model.decode(text);
    const after = without(event, farm);
    if (after !== null) add(position + 1, copyOf(after));
    for (const step of model.steps(farm)) {
      if (step.fault && !allowed.has(step.name.replace(/ \(\d\)$/, ''))) continue;
      if (looksAlike(farm, step.next)) add(position, step.next);
      else if (explains(event, farm, step.next, changes(farm, step.next))) add(position + 1, step.next);
    }
  }
  const event = events[furthest];
  return event === undefined ? null : { at: furthest, event, states };
}

/** Index of the last queue; -1 = none is left. */
const last = (queues: readonly unknown[]): number => queues.length - 1;
