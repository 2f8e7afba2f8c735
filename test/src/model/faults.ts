import { type AttemptStep, type FarmStep, reap, sendsEvent, sendsLog } from './controller-steps.js';
import { Agent, type Attempt, type Farm, Job, Lease, Link, Phase, type Rules, hasJob, isHeld, isOpen } from './farm.js';

/**
 * A lease is not renewed while the agent is away; by the agent's own count it ran out before. What undoes that
 * order is a fault of its own: a pause, a wrong clock, heartbeats that are held up.
 */
export const leaseRunsOut: AttemptStep = {
  name: 'the lease runs out in the database',
  take(farm, attempt, fence, rules) {
    if (!isOpen(attempt)) return false;
    const unheard = farm.link !== Link.up || farm.stalled === 1 || farm.agent === Agent.paused;
    // An agent that is killed or paused counts nothing.
    const counts = farm.agent === Agent.up && hasJob(attempt) && attempt.lease === Lease.held;
    const outlives = counts && farm.skewed === 0 && rules.countsFromSending;
    return unheard && !outlives && reap(farm, attempt, fence, rules);
  },
};

/** What was a fault passes. */
export const heartbeatsPass: FarmStep = {
  name: 'heartbeats get through again',
  take(farm) {
    if (!farm.stalled) return false;
    farm.stalled = 0;
    return true;
  },
};

/** A fault takes place if there is one left, and if it changes anything. */
function striking(name: string, strike: (farm: Farm, rules: Rules) => boolean): FarmStep {
  return {
    name: `FAULT ${name}`,
    fault: true,
    take(farm, rules) {
      if (farm.faults === 0 || !strike(farm, rules)) return false;
      farm.faults -= 1;
      return true;
    },
  };
}

export const FARM_FAULTS: FarmStep[] = [
  striking('heartbeats are held up', (farm) => {
    if (farm.link !== Link.up || farm.stalled || !farm.attempts.some(isOpen)) return false;
    farm.stalled = 1;
    return true;
  }),
  striking('the connection breaks, its frames are lost', (farm) => {
    if (farm.link === Link.down) return false;
    cut(farm);
    return true;
  }),
  striking('the connection breaks, its frames arrive late', (farm, rules) => {
    const sent = farm.attempts.map((attempt) => delay(farm, attempt, rules));
    if (!sent.includes(true)) return false;
    cut(farm);
    return true;
  }),
  striking('a controller freezes before it reads the hello, and the agent goes to another one', (farm) => {
    if (farm.agent !== Agent.up || farm.link !== Link.down || farm.lateHello) return false;
    const named = farm.attempts.reduce((bits, attempt, index) => bits | (isHeld(attempt) ? 1 << index : 0), 0);
    farm.lateHello = 1 + named;
    return true;
  }),
  striking('the agent is killed', (farm) => {
    if (farm.agent !== Agent.up && farm.agent !== Agent.paused) return false;
    kill(farm);
    return true;
  }),
  striking('the computer of the agent is lost', (farm) => {
    if (farm.agent === Agent.gone) return false;
    kill(farm);
    farm.agent = Agent.gone;
    return true;
  }),
  striking('the agent is killed and its disk is lost', (farm) => {
    if (farm.agent === Agent.down || farm.agent === Agent.gone || !farm.attempts.some(isHeld)) return false;
    kill(farm);
    for (const attempt of farm.attempts.filter(isHeld)) {
      // It may be assigned again as if it had never been there.
      Object.assign(attempt, {
        phase: Phase.none,
        lost: 1,
        stopping: 0,
        dropped: 0,
        madeLog: 0,
        madeEvents: 0,
        final: 0,
      });
    }
    return true;
  }),
  striking('the agent is paused', (farm) => {
    if (farm.agent !== Agent.up) return false;
    farm.agent = Agent.paused;
    return true;
  }),
  striking('the clock of the agent goes wrong', (farm) => {
    if (farm.skewed) return false;
    farm.skewed = 1;
    return true;
  }),
  striking('the agent is copied', (farm) => {
    const working = farm.attempts.findIndex(({ phase }) => phase === Phase.waiting || phase === Phase.flashed);
    if (working === -1 || farm.ghost > 0) return false;
    farm.ghost = working + 1;
    return true;
  }),
  striking('a person cancels the run', (farm) => {
    if (farm.canceled || farm.job === Job.ended) return false;
    farm.canceled = 1;
    return true;
  }),
];

export const ATTEMPT_FAULTS: AttemptStep[] = [
  {
    name: 'FAULT a frame arrives twice',
    fault: true,
    take(farm, attempt, _fence, rules) {
      if (farm.faults === 0 || !delay(farm, attempt, rules)) return false;
      farm.faults -= 1;
      return true;
    },
  },
];

/** What the agent sends now is stored later; false when it has nothing to send. */
function delay(farm: Farm, attempt: Attempt, rules: Rules): boolean {
  const [log, event] = [sendsLog(farm, attempt), sendsEvent(farm, attempt, rules)];
  if (log) attempt.lateLog = 1;
  if (event) attempt.lateEvent = attempt.ackedEvents + 1;
  return log || event;
}

/** Nothing is said any more on this connection. The controller may fall with it: all it knows is in Postgres. */
function cut(farm: Farm): void {
  Object.assign(farm, { link: Link.down, stalled: 0 });
  for (const attempt of farm.attempts) {
    Object.assign(attempt, {
      assign: 0,
      renewed: 0,
      knownLog: 0,
      knownEvents: 0,
      believed: 0,
      ackedLog: 0,
      ackedEvents: 0,
    });
  }
}

function kill(farm: Farm): void {
  farm.agent = Agent.down;
  cut(farm);
  for (const attempt of farm.attempts) attempt.lease = Lease.unconfirmed;
}
