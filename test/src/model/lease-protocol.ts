import { AGENT_LIFE, AGENT_STEPS, haunt } from './agent-steps.js';
import { CONTROLLER_STEPS, RECONCILE_STEPS } from './controller-steps.js';
import type { Invariant, Model, Step } from './explore.js';
import {
  ALL_RULES,
  Agent,
  type Farm,
  Harm,
  Job,
  Phase,
  Restored,
  type Rules,
  State,
  copyOf,
  decode,
  encode,
  isHeld,
  isOpen,
  isWorking,
  startOf,
} from './farm.js';
import { ATTEMPT_FAULTS, FARM_FAULTS, heartbeatsPass, leaseRunsOut } from './faults.js';

/** An invariant of every single attempt. */
function ofEach(promise: string, broken: (farm: Farm, index: number) => boolean): Invariant<Farm> {
  return {
    promise,
    broken(farm) {
      const index = farm.attempts.findIndex((_attempt, place) => broken(farm, place));
      return index === -1 ? null : `attempt ${index + 1}`;
    },
  };
}

const at = (farm: Farm, index: number): Farm['attempts'][0] => farm.attempts[index === 0 ? 0 : 1];
const isShort = (farm: Farm, index: number): boolean => {
  const { log, events, madeLog, madeEvents } = at(farm, index);
  return log < madeLog || events < madeEvents;
};

const PROMISES: Invariant<Farm>[] = [
  {
    promise: 'one attempt at a time works on a machine',
    broken: (farm) => (farm.attempts.filter(isWorking).length > 1 ? 'both do' : null),
  },
  {
    promise: 'one attempt at a time holds the lease of a machine',
    broken: (farm) => (farm.attempts.filter(isOpen).length > 1 ? 'both do' : null),
  },
  {
    promise: 'no attempt begins anything on a machine without its lease while clocks are right',
    broken: (farm) => (farm.harm === Harm.withoutLease ? 'one did' : null),
  },
  {
    promise: 'no attempt touches a machine on which a newer one has begun, even with wrong clocks and copied agents',
    broken: (farm) => (farm.harm === Harm.overSuccessor ? 'one did' : null),
  },
  ofEach('nothing is stored that did not happen, and nothing twice', (farm, index) => {
    const { log, events, madeLog, madeEvents, doubled, lost } = at(farm, index);
    // What was on a disk that was lost is not known.
    if (lost === 1) return false;
    return doubled === 1 || log > madeLog || events > madeEvents;
  }),
  ofEach('an attempt that its agent ended is complete', (farm, index) => {
    const { state, revoked, lost } = at(farm, index);
    return lost === 0 && state === State.ended && revoked === 0 && isShort(farm, index);
  }),
  ofEach('evidence is forgotten by the agent only when it is stored', (farm, index) => {
    const { phase, lost } = at(farm, index);
    return phase === Phase.gone && lost === 0 && isShort(farm, index);
  }),
  {
    promise: 'a revoked attempt decides nothing',
    broken: (farm) => (farm.decidedBy > 0 && at(farm, farm.decidedBy - 1).revoked === 1 ? 'one did' : null),
  },
  {
    promise: 'a job that ended has no open attempt',
    broken: (farm) => (farm.job === Job.ended && farm.attempts.some(isOpen) ? 'one is open' : null),
  },
  {
    promise: 'a machine that was not restored is quarantined',
    broken: (farm) =>
      !farm.quarantined && farm.attempts.some(({ restored }) => restored === Restored.no) ? 'it is free' : null,
  },
];

/** Nothing is left to do, except for the person who mends the machine. */
function isSettled(farm: Farm): boolean {
  // Without an agent the job waits for one, and holds no machine meanwhile.
  if (farm.agent === Agent.gone) return !farm.attempts.some(isOpen);
  const waitsForPerson = farm.quarantined === 1 && farm.job === Job.queued;
  if (farm.job !== Job.ended && !waitsForPerson) return false;
  if (farm.attempts.some((attempt, index) => isHeld(attempt) || (!attempt.lost && isShort(farm, index)))) return false;
  // A disk that was lost takes the knowledge with it that the machine is to be restored; the next attempt does it.
  return farm.kernel === 0 || farm.quarantined === 1 || farm.attempts.some(({ lost }) => lost === 1);
}

/** The protocol with some of its rules. `faults` bounds how much goes wrong on one path. */
export function leaseProtocol(faults: number, rules: Partial<Rules> = {}): Model<Farm> {
  const all = { ...ALL_RULES, ...rules };
  return {
    initial: startOf(faults),
    encode,
    decode,
    invariants: PROMISES,
    settled: isSettled,
    *steps(farm): Generator<Step<Farm>> {
      // A step that does not apply leaves its copy as it was, so the next one may have it.
      let copy = copyOf(farm);
      for (const index of [0, 1] as const) {
        if (farm.attempts[index].state === State.none && (index === 1 ? farm.attempts[0].state === State.none : false))
          continue;
        for (const step of PER_ATTEMPT) {
          if (!step.take(copy, copy.attempts[index], index + 1, all)) continue;
          yield { name: `${step.name} (${index + 1})`, fault: step.fault ?? false, next: copy };
          copy = copyOf(farm);
        }
      }
      for (const step of OF_ALL) {
        if (!step.take(copy, all)) continue;
        yield { name: step.name, fault: step.fault ?? false, next: copy };
        copy = copyOf(farm);
      }
    },
  };
}

const PER_ATTEMPT = [...CONTROLLER_STEPS, ...AGENT_STEPS, leaseRunsOut, ...ATTEMPT_FAULTS];
const OF_ALL = [...RECONCILE_STEPS, ...AGENT_LIFE, heartbeatsPass, haunt, ...FARM_FAULTS];
