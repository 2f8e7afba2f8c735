import { type Farm, type HeldAttempt, type Rules, type ToAgent, type ToController, attemptOf, heldOf, isWorking } from './farm.js';

const QUEUE_MAX = 2;

type AgentStep = { name: string; fault?: true; take(farm: Farm, rules: Rules): boolean };

/** What the agent and its machine may do. Steps apply to the first attempt they fit. */
export const AGENT_STEPS: AgentStep[] = [
  {
    name: 'the agent starts',
    take(farm, rules) {
      if (farm.agent.up) return false;
      farm.agent.up = true;
      for (const held of farm.agent.held) {
        held.sent = { log: 0, events: 0 };
        held.acked = { log: 0, events: 0 };
        if (held.phase !== 'finished' && rules.recovers) held.stopping = true;
      }
      return true;
    },
  },
  {
    name: 'the agent connects',
    take(farm) {
      if (!farm.agent.up || farm.link.state !== 'down') return false;
      farm.link.state = 'greeting';
      farm.link.toController.push({ type: 'hello', held: farm.agent.held.map(({ fence }) => ({ fence })) });
      return true;
    },
  },
  {
    name: 'the agent sends a heartbeat',
    take(farm) {
      if (farm.link.toController.some(({ type }) => type === 'heartbeat')) return false;
      const held = farm.agent.held.map(({ fence }) => fence);
      // One that changes nothing is left out: it would only multiply the states.
      return held.join() !== farm.link.believed.join() && send(farm, { type: 'heartbeat', held });
    },
  },
  {
    name: 'the agent reads a message',
    take(farm, rules) {
      if (!farm.agent.up) return false;
      const message = farm.link.toAgent.shift();
      if (message === undefined) return false;
      receive(farm, message, rules);
      return true;
    },
  },
  {
    name: 'the agent flashes the machine',
    take(farm, rules) {
      const held = next(farm, (attempt) => attempt.phase === 'waiting' && !attempt.stopping);
      if (held === undefined || (rules.oneAtATime && busyBefore(farm, held))) return false;
      held.phase = 'flashed';
      // Preparing brings back the default kernel, whoever left another one.
      farm.dirty = rules.oneAtATime ? [held.fence] : [...farm.dirty, held.fence];
      return true;
    },
  },
  {
    name: 'the machine is tested',
    take(farm) {
      const held = next(farm, (attempt) => attempt.phase === 'flashed' && !attempt.stopping);
      if (held === undefined) return false;
      held.phase = 'tested';
      held.log += 1;
      held.events += 1;
      const truth = attemptOf(farm, held.fence)?.truth;
      if (truth !== undefined) Object.assign(truth, { log: held.log, events: held.events });
      return true;
    },
  },
  { name: 'the machine is restored', take: (farm, rules) => restore(farm, rules, true) },
  { name: 'the machine cannot be restored', fault: true, take: (farm, rules) => restore(farm, rules, false) },
  {
    name: 'the agent finishes the attempt',
    take(farm) {
      const held = next(farm, ({ phase, stopping }) => phase === 'clean' || (phase === 'waiting' && stopping));
      if (held === undefined) return false;
      held.phase = 'finished';
      held.events += 1;
      const truth = attemptOf(farm, held.fence)?.truth;
      if (truth !== undefined) truth.events = held.events;
      return true;
    },
  },
  { name: 'the agent sends a log line', take: (farm) => sendEntry(farm, 'log', () => true) },
  {
    name: 'the agent sends an event',
    take: (farm, rules) =>
      sendEntry(farm, 'events', (held) => {
        const last = held.phase === 'finished' && held.sent.events === held.events - 1;
        return !last || !rules.finishedLast || held.acked.log >= held.log;
      }),
  },
  {
    name: 'the agent forgets what is delivered',
    take(farm, rules) {
      const held = next(farm, (attempt) => attempt.phase === 'finished' && isDelivered(attempt, rules));
      if (held === undefined) return false;
      farm.agent.held = farm.agent.held.filter((other) => other !== held);
      return true;
    },
  },
];

function next(farm: Farm, fits: (held: HeldAttempt) => boolean): HeldAttempt | undefined {
  return farm.agent.up ? farm.agent.held.find(fits) : undefined;
}

function busyBefore(farm: Farm, held: HeldAttempt): boolean {
  return farm.agent.held.some(
    (other) => other.fence < held.fence && other.phase !== 'clean' && other.phase !== 'finished',
  );
}

function isDelivered(held: HeldAttempt, rules: Rules): boolean {
  if (held.dropped && !rules.deliversDropped) return true;
  return held.acked.log >= held.log && held.acked.events >= held.events;
}

function restore(farm: Farm, rules: Rules, succeeds: boolean): boolean {
  const held = next(farm, (attempt) => isWorking(attempt) && (attempt.phase === 'tested' || attempt.stopping));
  if (held === undefined) return false;
  held.phase = 'clean';
  held.restored = succeeds;
  if (succeeds) farm.dirty = rules.oneAtATime ? [] : farm.dirty.filter((fence) => fence !== held.fence);
  return true;
}

function send(farm: Farm, frame: ToController): boolean {
  if (!farm.agent.up || farm.link.state !== 'up' || farm.link.toController.length >= QUEUE_MAX) return false;
  farm.link.toController.push(frame);
  return true;
}

function sendEntry(farm: Farm, stream: 'log' | 'events', may: (held: HeldAttempt) => boolean): boolean {
  const held = next(farm, (attempt) => attempt.sent[stream] < attempt[stream] && may(attempt));
  if (held === undefined) return false;
  const { fence } = held;
  const seq = held.sent[stream];
  const frame: ToController =
    stream === 'log'
      ? { type: 'log', fence, seq }
      : {
          type: 'event',
          fence,
          seq,
          finished: held.phase === 'finished' && seq === held.events - 1,
          restored: held.restored,
        };
  if (!send(farm, frame)) return false;
  held.sent[stream] += 1;
  return true;
}

function receive(farm: Farm, message: ToAgent, rules: Rules): void {
  switch (message.type) {
    case 'welcome':
      farm.link.state = 'up';
      for (const held of [...farm.agent.held]) {
        const known = message.known.find(({ fence }) => fence === held.fence);
        if (known === undefined) continue;
        held.sent = { log: known.log, events: known.events };
        held.acked = { log: known.log, events: known.events };
      }
      return;
    case 'assign':
      if (heldOf(farm, message.fence) === undefined) take(farm, message.fence);
      send(farm, { type: 'accepted', fence: message.fence });
      return;
    case 'ack': {
      const held = heldOf(farm, message.fence);
      if (held === undefined) return;
      const limit = Math.min(message.next, held.sent[message.stream]);
      held.acked[message.stream] = Math.max(held.acked[message.stream], limit);
      return;
    }
    case 'drop':
    case 'cancel': {
      const held = heldOf(farm, message.fence);
      if (held === undefined) return;
      held.stopping = true;
      if (message.type === 'drop') held.dropped = true;
      if (held.dropped && !rules.deliversDropped && held.phase === 'finished') held.acked = { ...held.sent };
    }
  }
}

/** Writes the attempt down. A higher fence for the same machine says that older attempts lost theirs. */
function take(farm: Farm, fence: number): void {
  for (const older of farm.agent.held) {
    if (older.fence < fence && older.phase !== 'finished') Object.assign(older, { stopping: true, dropped: true });
  }
  farm.agent.held.push({
    fence,
    phase: 'waiting',
    log: 0,
    events: 0,
    stopping: false,
    dropped: false,
    restored: true,
    sent: { log: 0, events: 0 },
    acked: { log: 0, events: 0 },
  });
}

