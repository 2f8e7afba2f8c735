import type { AttemptStep, FarmStep } from './controller-steps.js';
import {
  Agent,
  type Attempt,
  type Farm,
  Harm,
  Lease,
  Link,
  Phase,
  type Rules,
  State,
  hasJob,
  isHeld,
  isWorking,
} from './farm.js';

/** What the agent and its machine may do about an attempt. */
export const AGENT_STEPS: AttemptStep[] = [
  {
    name: 'the agent takes the assignment',
    take(farm, attempt, fence) {
      if (!attempt.assign || farm.agent !== Agent.up) return false;
      attempt.assign = 0;
      if (attempt.phase !== Phase.none) return true;
      // A higher fence for the same machine says that older attempts lost theirs.
      farm.attempts.forEach((older, index) => {
        if (index + 1 < fence && hasJob(older)) Object.assign(older, { stopping: 1, dropped: 1 });
      });
      attempt.phase = Phase.waiting;
      return true;
    },
  },
  {
    name: 'the agent hears that its lease was renewed',
    take(farm, attempt, _fence, rules) {
      if (!attempt.renewed || farm.agent !== Agent.up) return false;
      attempt.renewed = 0;
      // It counts from the heartbeat that was answered: by now that time is over, as it is in the database.
      const tooLate = attempt.revoked && !farm.skewed && rules.countsFromSending;
      if (hasJob(attempt) && attempt.lease === Lease.unconfirmed && !tooLate) attempt.lease = Lease.held;
      return true;
    },
  },
  {
    name: 'the lease runs out by the clock of the agent',
    take(farm, attempt, _fence, rules) {
      if (farm.agent !== Agent.up || attempt.lease !== Lease.held || !hasJob(attempt)) return false;
      if (farm.link === Link.up && !farm.stalled) return false;
      loseLease(attempt, rules);
      return true;
    },
  },
  {
    name: 'the agent flashes the machine',
    take(farm, attempt, fence, rules) {
      if (farm.agent !== Agent.up || attempt.phase !== Phase.waiting || !mayAct(attempt, rules)) return false;
      if (rules.oneAtATime && othersBefore(farm, fence)) return false;
      attempt.phase = Phase.flashed;
      attempt.madeLog = 1;
      act(farm, attempt, fence, rules);
      return true;
    },
  },
  {
    name: 'the machine is tested',
    take(farm, attempt, fence, rules) {
      if (farm.agent !== Agent.up || attempt.phase !== Phase.flashed || !mayAct(attempt, rules)) return false;
      attempt.phase = Phase.tested;
      attempt.madeEvents = 1;
      act(farm, attempt, fence, rules);
      return true;
    },
  },
  {
    name: 'the machine is restored',
    take: (farm, attempt, fence, rules) => restore(farm, attempt, fence, rules, true),
  },
  {
    name: 'FAULT the machine cannot be restored',
    fault: true,
    take: (farm, attempt, fence, rules) => {
      if (farm.faults === 0 || farm.machineFence > fence || !restore(farm, attempt, fence, rules, false)) return false;
      farm.faults -= 1;
      return true;
    },
  },
  {
    name: 'FAULT the job of the attempt fails',
    fault: true,
    take(farm, attempt) {
      if (farm.faults === 0 || farm.agent !== Agent.up || !hasJob(attempt) || attempt.stopping) return false;
      if (attempt.phase === Phase.clean) return false;
      farm.faults -= 1;
      attempt.stopping = 1;
      return true;
    },
  },
  {
    name: 'the agent finishes the attempt',
    take(farm, attempt) {
      if (farm.agent !== Agent.up) return false;
      if (attempt.phase !== Phase.clean && !(attempt.phase === Phase.waiting && attempt.stopping)) return false;
      attempt.phase = Phase.finished;
      attempt.madeEvents += 1;
      attempt.final = 1;
      attempt.lease = Lease.unconfirmed;
      return true;
    },
  },
  {
    name: 'the agent forgets what is delivered',
    take(farm, attempt, _fence, rules) {
      if (farm.agent !== Agent.up || attempt.phase !== Phase.finished) return false;
      const delivered = attempt.ackedLog >= attempt.madeLog && attempt.ackedEvents >= attempt.madeEvents;
      if (!delivered && (rules.deliversDropped || !attempt.dropped)) return false;
      Object.assign(attempt, { phase: Phase.gone, stopping: 0, dropped: 0, renewed: 0, ackedLog: 0, ackedEvents: 0 });
      return true;
    },
  },
];

/** What the agent may do as a whole. */
export const AGENT_LIFE: FarmStep[] = [
  {
    name: 'the agent starts',
    take(farm, rules) {
      if (farm.agent !== Agent.down) return false;
      farm.agent = Agent.up;
      for (const attempt of farm.attempts.filter(hasJob)) {
        attempt.stopping = 1;
        // Without recovery the machine is not looked at again.
        if (!rules.recovers) attempt.phase = Phase.clean;
      }
      return true;
    },
  },
  {
    name: 'the agent wakes up',
    take(farm, rules) {
      if (farm.agent !== Agent.paused) return false;
      farm.agent = Agent.up;
      for (const attempt of farm.attempts) {
        // Its clock went on. What was taken away meanwhile has run out by it, too: the guard asks it before it acts.
        const ranOut = attempt.lease === Lease.held && hasJob(attempt) && attempt.revoked;
        if (ranOut && !farm.skewed && rules.guardsActions) loseLease(attempt, rules);
      }
      return true;
    },
  },
  {
    name: 'the agent is welcomed',
    take(farm) {
      if (farm.agent !== Agent.up || farm.link !== Link.answered) return false;
      farm.link = Link.up;
      for (const attempt of farm.attempts) {
        if (isHeld(attempt)) Object.assign(attempt, { ackedLog: attempt.knownLog, ackedEvents: attempt.knownEvents });
        Object.assign(attempt, { knownLog: 0, knownEvents: 0 });
      }
      return true;
    },
  },
  {
    name: 'the copy of the agent restores the machine',
    take(farm, rules) {
      if (farm.ghost === 0 || !farm.ghostActed) return false;
      if (!rules.machineFence || farm.machineFence <= farm.ghost) farm.kernel = 0;
      Object.assign(farm, { ghost: 0, ghostActed: 0 });
      return true;
    },
  },
  {
    name: 'the copy of the agent is refused',
    take(farm, rules) {
      if (farm.ghost === 0 || farm.ghostActed || !isRefused(farm, farm.ghost, 1, rules)) return false;
      farm.ghost = 0;
      return true;
    },
  },
];

/** A copy of the agent flashes the machine: it has its own count of the lease, and its own clock. */
export const haunt: FarmStep = {
  name: 'the copy of the agent flashes the machine',
  fault: true,
  take(farm, rules) {
    if (farm.ghost === 0 || farm.ghostActed || isRefused(farm, farm.ghost, 1, rules)) return false;
    touch(farm, farm.ghost, 1);
    farm.ghostActed = 1;
    return true;
  },
};

/** The attempt may change its machine, as far as the agent knows. */
export function mayAct(attempt: Attempt, rules: Rules): boolean {
  if (attempt.stopping) return false;
  if (attempt.lease === Lease.unconfirmed) return !rules.awaitsRenewal;
  return attempt.lease === Lease.held || !rules.selfFences;
}

function loseLease(attempt: Attempt, rules: Rules): void {
  attempt.lease = Lease.ranOut;
  if (rules.selfFences) attempt.stopping = 1;
}

function othersBefore(farm: Farm, fence: number): boolean {
  return farm.attempts.some((older, index) => index + 1 < fence && hasJob(older) && older.phase !== Phase.clean);
}

/** An action of the agent: a wrong one is noted, not prevented. A refused one ends the attempt. */
function act(farm: Farm, attempt: Attempt, fence: number, rules: Rules): void {
  if (isRefused(farm, fence, 0, rules)) {
    attempt.stopping = 1;
    return;
  }
  if (attempt.state === State.ended && attempt.revoked && !farm.skewed) farm.harm = Harm.withoutLease;
  touch(farm, fence, 0);
}

function isRefused(farm: Farm, fence: number, ghost: number, rules: Rules): boolean {
  if (!rules.machineFence) return false;
  return farm.machineFence > fence || (farm.machineFence === fence && farm.ghostFence !== ghost);
}

function touch(farm: Farm, fence: number, ghost: number): void {
  if (farm.begun > fence) farm.harm = Harm.overSuccessor;
  // Two that take one fence for theirs.
  if (farm.begun === fence && farm.ghostFence !== ghost) farm.harm = Harm.overSuccessor;
  farm.machineFence = Math.max(farm.machineFence, fence);
  farm.begun = Math.max(farm.begun, fence);
  farm.ghostFence = ghost;
  farm.kernel = fence;
}

/** Putting the default kernel back is always allowed, unless an attempt with a higher fence works there. */
function restore(farm: Farm, attempt: Attempt, fence: number, rules: Rules, succeeds: boolean): boolean {
  if (farm.agent !== Agent.up || !isWorking(attempt)) return false;
  if (attempt.phase !== Phase.tested && !attempt.stopping) return false;
  attempt.phase = Phase.clean;
  if (!succeeds) attempt.failed = 1;
  else if (!rules.machineFence || farm.machineFence <= fence) farm.kernel = 0;
  return true;
}
