import {
  Agent,
  type Attempt,
  type Farm,
  Job,
  Lease,
  Link,
  Phase,
  Restored,
  type Rules,
  State,
  hasJob,
  isHeld,
  isOpen,
} from './farm.js';

/** A step of one attempt: changes the state that it is given and returns true, or does not apply. */
export interface AttemptStep {
  name: string;
  fault?: true;
  /** `fence` is the attempt's place plus one. */
  take(farm: Farm, attempt: Attempt, fence: number, rules: Rules): boolean;
}
export interface FarmStep {
  name: string;
  fault?: true;
  take(farm: Farm, rules: Rules): boolean;
}

/** What a controller may do about an attempt. */
export const CONTROLLER_STEPS: AttemptStep[] = [
  {
    name: 'the controller claims the machine',
    take(farm, attempt, fence, rules) {
      if (attempt.state !== State.none || farm.job === Job.ended || farm.canceled || farm.quarantined) return false;
      if (fence === 2 && farm.attempts[0].state === State.none) return false;
      if (rules.claimsOnce && (farm.job !== Job.queued || farm.attempts.some(isOpen))) return false;
      attempt.state = State.assigned;
      farm.job = Job.running;
      return true;
    },
  },
  {
    name: 'the controller assigns',
    take(farm, attempt) {
      if (attempt.state !== State.assigned || farm.canceled || attempt.believed) return false;
      if (farm.link !== Link.up) return false;
      attempt.assign = 1;
      attempt.believed = 1;
      return true;
    },
  },
  {
    name: 'the controller cancels',
    take(farm, attempt, fence, rules) {
      if (!farm.canceled || !isOpen(attempt) || !hears(farm)) return false;
      // An attempt whose lease was confirmed was named in a report before that.
      const named = attempt.renewed === 1 || attempt.lease !== Lease.unconfirmed;
      if (attempt.state === State.running || named || attempt.stopping) {
        if (attempt.stopping || !isHeld(attempt)) return false;
        attempt.stopping = 1;
        return true;
      }
      end(farm, attempt, fence, { revoked: true, restored: Restored.unknown }, rules);
      return true;
    },
  },
  {
    name: 'FAULT the agent declines the assignment',
    fault: true,
    take(farm, attempt, fence, rules) {
      if (farm.faults === 0 || !attempt.assign || attempt.phase !== Phase.none || !hears(farm)) return false;
      if (attempt.state !== State.assigned) return false;
      farm.faults -= 1;
      attempt.assign = 0;
      end(farm, attempt, fence, { revoked: true, restored: Restored.unknown }, rules);
      return true;
    },
  },
  {
    name: 'the controller hears that the attempt was accepted',
    take(farm, attempt) {
      if (attempt.state !== State.assigned || !hears(farm) || !isHeld(attempt)) return false;
      attempt.state = State.running;
      return true;
    },
  },
  {
    name: 'a log line is stored',
    take(farm, attempt, fence, rules) {
      if (!sendsLog(farm, attempt)) return false;
      store(farm, attempt, fence, { stream: 'log', seq: attempt.ackedLog }, rules);
      attempt.ackedLog = Math.max(attempt.ackedLog, attempt.log);
      return true;
    },
  },
  {
    name: 'an event is stored',
    take(farm, attempt, fence, rules) {
      if (!sendsEvent(farm, attempt, rules)) return false;
      store(farm, attempt, fence, { stream: 'events', seq: attempt.ackedEvents }, rules);
      attempt.ackedEvents = Math.max(attempt.ackedEvents, attempt.events);
      return true;
    },
  },
  {
    name: 'another controller stores a log line of an older connection',
    take(farm, attempt, fence, rules) {
      if (!attempt.lateLog) return false;
      attempt.lateLog = 0;
      store(farm, attempt, fence, { stream: 'log', seq: 0 }, rules);
      return true;
    },
  },
  {
    name: 'another controller stores an event of an older connection',
    take(farm, attempt, fence, rules) {
      if (!attempt.lateEvent) return false;
      const seq = attempt.lateEvent - 1;
      attempt.lateEvent = 0;
      store(farm, attempt, fence, { stream: 'events', seq }, rules);
      return true;
    },
  },
];

/** What a controller may do about an agent. */
export const RECONCILE_STEPS: FarmStep[] = [
  {
    name: 'the agent connects and the controller answers',
    take(farm, rules) {
      if (farm.agent !== Agent.up || farm.link !== Link.down) return false;
      farm.link = Link.answered;
      answer(farm);
      if (!rules.helloEndsNothing) mendLost(farm, isHeld, rules);
      for (const attempt of farm.attempts.filter(isHeld)) {
        attempt.knownLog = attempt.log;
        attempt.knownEvents = attempt.events;
      }
      return true;
    },
  },
  {
    name: 'a frozen controller goes on and reads an old hello',
    take(farm, rules) {
      if (!farm.lateHello) return false;
      const named = farm.lateHello - 1;
      farm.lateHello = 0;
      if (!rules.helloEndsNothing) mendLost(farm, (_attempt, index) => ((named >> index) & 1) === 1, rules);
      return true;
    },
  },
  {
    name: 'the controller reads a heartbeat',
    take(farm, rules) {
      if (!hears(farm) || farm.stalled) return false;
      // One that changes nothing is left out: it would only multiply the states.
      if (!farm.attempts.some(isNews)) return false;
      answer(farm);
      mendLost(farm, isHeld, rules);
      return true;
    },
  },
  {
    name: 'the controller ends a canceled job that waits',
    take(farm) {
      if (!farm.canceled || farm.job !== Job.queued) return false;
      farm.job = Job.ended;
      return true;
    },
  },
];

/** Agent and controller talk. */
const hears = (farm: Farm): boolean => farm.agent === Agent.up && farm.link === Link.up;

/** The agent has a log line to send. */
export function sendsLog(farm: Farm, attempt: Attempt): boolean {
  return hears(farm) && isHeld(attempt) && attempt.ackedLog < attempt.madeLog;
}

/** The agent has an event to send: the last one not before all that belongs to it is stored. */
export function sendsEvent(farm: Farm, attempt: Attempt, rules: Rules): boolean {
  if (!hears(farm) || !isHeld(attempt) || attempt.ackedEvents >= attempt.madeEvents) return false;
  const last = attempt.final === 1 && attempt.ackedEvents === attempt.madeEvents - 1;
  return !last || !rules.finishedLast || attempt.ackedLog >= attempt.madeLog;
}

/** A heartbeat would say something new of it, or have something answered. */
function isNews(attempt: Attempt): boolean {
  if (!isHeld(attempt)) {
    return isOpen(attempt) && attempt.assign === 0 && (attempt.believed === 1 || attempt.state === State.running);
  }
  const unconfirmed = hasJob(attempt) && !attempt.stopping && attempt.lease === Lease.unconfirmed && !attempt.renewed;
  return (attempt.revoked === 1 && attempt.dropped === 0) || (unconfirmed && isOpen(attempt));
}

/** The lease of an open attempt runs out in the database. */
export function reap(farm: Farm, attempt: Attempt, fence: number, rules: Rules): boolean {
  if (!isOpen(attempt) || !rules.expires) return false;
  end(farm, attempt, fence, { revoked: true, restored: Restored.unknown }, rules);
  return true;
}

function end(
  farm: Farm,
  attempt: Attempt,
  fence: number,
  ending: { revoked: boolean; restored: number },
  rules: Rules,
): void {
  if (attempt.state === State.ended) return;
  attempt.state = State.ended;
  attempt.revoked = ending.revoked ? 1 : 0;
  attempt.restored = ending.restored;
  if (ending.restored === Restored.no && rules.quarantines) farm.quarantined = 1;
  const isLast = fence === farm.attempts.length;
  const again = ending.revoked && !farm.canceled && !isLast;
  farm.job = again ? Job.queued : Job.ended;
  if (!again && !ending.revoked) farm.decidedBy = fence;
}

/** Compares what the agent holds with the tables, and answers. */
function answer(farm: Farm): void {
  for (const attempt of farm.attempts) {
    const named = isHeld(attempt);
    attempt.believed = named && isOpen(attempt) ? 1 : 0;
    if (named && attempt.revoked) Object.assign(attempt, { stopping: 1, dropped: 1 });
    if (hasJob(attempt) && isOpen(attempt) && attempt.lease === Lease.unconfirmed) attempt.renewed = 1;
  }
}

/** Ends what the agent had taken and does not name, or gives it again. */
function mendLost(farm: Farm, isNamed: (attempt: Attempt, index: number) => boolean, rules: Rules): void {
  if (!rules.reconciles) return;
  farm.attempts.forEach((attempt, index) => {
    if (isNamed(attempt, index) || attempt.state !== State.running) return;
    // Nothing of it arrived: perhaps the agent never wrote it down. Else its spool is gone.
    if (attempt.log === 0 && attempt.events === 0) attempt.state = State.assigned;
    else end(farm, attempt, index + 1, { revoked: true, restored: Restored.unknown }, rules);
  });
}

/** Evidence is stored with or without the lease; only the holder of the lease changes anything else. */
function store(
  farm: Farm,
  attempt: Attempt,
  fence: number,
  entry: { stream: 'log' | 'events'; seq: number },
  rules: Rules,
): void {
  if (attempt.revoked && !rules.storesRevoked) return;
  if (rules.sequenced && entry.seq !== attempt[entry.stream]) return;
  if (entry.seq < attempt[entry.stream]) attempt.doubled = 1;
  attempt[entry.stream] = entry.seq + 1;
  if (attempt.state === State.assigned) attempt.state = State.running;
  const finished = entry.stream === 'events' && attempt.final === 1 && entry.seq === attempt.madeEvents - 1;
  if (!finished) return;
  const restored = attempt.failed ? Restored.no : Restored.yes;
  if (attempt.state !== State.ended) {
    end(farm, attempt, fence, { revoked: false, restored }, rules);
  } else if (!rules.fenced) {
    // What the fence prevents: an attempt whose lease was taken away decides the job all the same.
    farm.job = Job.ended;
    farm.decidedBy = fence;
  } else {
    attempt.restored = restored;
    if (restored === Restored.no && rules.quarantines) farm.quarantined = 1;
  }
}
