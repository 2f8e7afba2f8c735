import { ATTEMPTS_MAX, type Farm, type Rules, type StoredAttempt, type ToAgent, type ToController, attemptOf, isOpen } from './farm.js';

/** How many messages a connection holds before its sender waits. */
const QUEUE_MAX = 2;

/** What a controller may do by itself. Each entry changes the copy of the state that it is given, or does not apply. */
export const CONTROLLER_STEPS: { name: string; take(farm: Farm, rules: Rules): boolean }[] = [
  {
    name: 'the controller claims the machine',
    take(farm) {
      const free = farm.attempts.every((attempt) => !attempt.leased) && !farm.quarantined;
      if (farm.job !== 'queued' || farm.cancelRequested || !free || farm.attempts.length >= ATTEMPTS_MAX) return false;
      farm.attempts.push({
        state: 'assigned',
        revoked: false,
        leased: true,
        log: 0,
        events: 0,
        doubled: false,
        restored: null,
        truth: { log: 0, events: 0 },
        spoolLost: false,
      });
      farm.job = 'running';
      return true;
    },
  },
  {
    name: 'the controller assigns',
    take(farm) {
      const index = farm.attempts.findIndex((attempt) => attempt.state === 'assigned');
      if (index === -1 || farm.cancelRequested || farm.link.believed.includes(index + 1)) return false;
      if (!tell(farm, { type: 'assign', fence: index + 1 })) return false;
      farm.link.believed.push(index + 1);
      return true;
    },
  },
  {
    name: 'the controller cancels',
    take(farm) {
      if (!farm.cancelRequested) return false;
      const index = farm.attempts.findIndex(isOpen);
      const attempt = farm.attempts[index];
      if (attempt === undefined) {
        if (farm.job === 'ended') return false;
        farm.job = 'ended';
        return true;
      }
      if (attempt.state === 'running' || farm.link.believed.includes(index + 1)) {
        if (farm.link.cancelTold || !tell(farm, { type: 'cancel', fence: index + 1 })) return false;
        farm.link.cancelTold = true;
        return true;
      }
      end(farm, index + 1, { revoked: true, restored: null });
      return true;
    },
  },
  {
    name: 'the controller reads a frame',
    take(farm, rules) {
      const frame = farm.link.toController.shift();
      if (frame === undefined) return false;
      for (const answer of read(farm, frame, rules, true)) {
        if (farm.link.state !== 'down') farm.link.toAgent.push(answer);
      }
      return true;
    },
  },
  {
    name: 'another controller reads a frame of the old connection',
    take(farm, rules) {
      const frame = farm.late.shift();
      if (frame === undefined) return false;
      read(farm, frame, rules, false);
      return true;
    },
  },
];

/** Says it once on a connection; that the code repeats it after ten seconds is covered by a lost connection. */
function tell(farm: Farm, message: Extract<ToAgent, { type: 'assign' | 'cancel' }>): boolean {
  const { link } = farm;
  if (link.state !== 'up' || link.toAgent.length >= QUEUE_MAX) return false;
  link.toAgent.push(message);
  return true;
}

/** The lease of an open attempt runs out. */
export function reap(farm: Farm, rules: Rules): boolean {
  const index = farm.attempts.findIndex((attempt) => attempt.leased);
  if (index === -1 || !rules.expires) return false;
  end(farm, index + 1, { revoked: true, restored: null });
  return true;
}

function end(farm: Farm, fence: number, ending: { revoked: boolean; restored: boolean | null }): void {
  const attempt = attemptOf(farm, fence);
  if (attempt === undefined || attempt.state === 'ended') return;
  attempt.state = 'ended';
  attempt.leased = false;
  attempt.revoked = ending.revoked;
  attempt.restored = ending.restored;
  if (ending.restored === false) farm.quarantined = true;
  const again =
    ending.revoked && ending.restored !== false && !farm.cancelRequested && farm.attempts.length < ATTEMPTS_MAX;
  farm.job = again ? 'queued' : 'ended';
  if (!again && !ending.revoked) farm.decidedBy = fence;
}

function read(farm: Farm, frame: ToController, rules: Rules, current: boolean): ToAgent[] {
  switch (frame.type) {
    case 'hello':
      return greet(farm, frame.held.map(({ fence }) => fence), rules, current);
    case 'heartbeat':
      if (current) farm.link.believed = [...frame.held];
      return [];
    case 'accepted': {
      const attempt = attemptOf(farm, frame.fence);
      if (attempt === undefined || attempt.revoked) return [{ type: 'drop', fence: frame.fence }];
      if (attempt.state === 'assigned') attempt.state = 'running';
      return [];
    }
    case 'declined': {
      const attempt = attemptOf(farm, frame.fence);
      if (attempt !== undefined && !attempt.revoked) end(farm, frame.fence, { revoked: true, restored: null });
      return [];
    }
    case 'log':
    case 'event':
      return store(farm, frame, rules);
  }
}

function greet(farm: Farm, held: number[], rules: Rules, current: boolean): ToAgent[] {
  if (!current) return [];
  farm.link.believed = [...held];
  if (rules.reconciles) {
    farm.attempts.forEach((attempt, index) => {
      if (attempt.state !== 'running' || held.includes(index + 1)) return;
      // Nothing of it arrived: perhaps the agent never wrote it down. Else its spool is gone.
      if (attempt.log === 0 && attempt.events === 0) attempt.state = 'assigned';
      else end(farm, index + 1, { revoked: true, restored: null });
    });
  }
  const known = held.flatMap((fence) => {
    const attempt = attemptOf(farm, fence);
    return attempt === undefined ? [] : [{ fence, log: attempt.log, events: attempt.events }];
  });
  const revoked = held.filter((fence) => attemptOf(farm, fence)?.revoked ?? true);
  return [{ type: 'welcome', known }, ...revoked.map((fence): ToAgent => ({ type: 'drop', fence }))];
}

/** Evidence is stored whoever holds the lease; only the holder's words change anything else. */
function store(farm: Farm, frame: Extract<ToController, { type: 'log' | 'event' }>, rules: Rules): ToAgent[] {
  const attempt = attemptOf(farm, frame.fence);
  if (attempt === undefined) return [{ type: 'drop', fence: frame.fence }];
  const stream = frame.type === 'log' ? 'log' : 'events';
  const answers: ToAgent[] = [];
  if (frame.seq === attempt[stream] || !rules.sequenced) {
    if (frame.seq < attempt[stream]) attempt.doubled = true;
    attempt[stream] = frame.seq + 1;
    decide(farm, attempt, frame, rules);
  }
  answers.push({ type: 'ack', fence: frame.fence, stream, next: attempt[stream] });
  if (attempt.revoked) answers.push({ type: 'drop', fence: frame.fence });
  return answers;
}

function decide(farm: Farm, attempt: StoredAttempt, frame: Extract<ToController, { type: 'log' | 'event' }>, rules: Rules): void {
  if (attempt.state === 'assigned') attempt.state = 'running';
  if (frame.type === 'log' || !frame.finished) return;
  if (attempt.state === 'ended' && !rules.fenced) {
    // What the fence prevents: a lease that was taken away decides the job all the same.
    farm.job = 'ended';
    farm.decidedBy = frame.fence;
    return;
  }
  end(farm, frame.fence, { revoked: false, restored: frame.restored });
}
