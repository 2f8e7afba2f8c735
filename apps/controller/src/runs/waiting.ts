import { desiredInWords, type JobState, type MachineDesired } from '@peerlab/contracts';

/** What decides whether a job can start, as read from the database. */
export interface WaitingFacts {
  kind: 'build' | 'test';
  state: JobState;
  build: string;
  /** Jobs that come before it on the same machine, or for the same build slots. */
  ahead: number;
  /** Until when a further attempt is put off, ISO 8601; null when it is not. */
  pausedUntil: string | null;
  machine: {
    name: string;
    desired: MachineDesired;
    agent: string;
    agentOnline: boolean;
    agentLastSeenAt: string;
    reachable: boolean;
    problem: string | null;
    leased: boolean;
    /** Tests that its agent runs, and how many it runs at most; null = no limit. */
    slots: { taken: number; total: number } | null;
  } | null;
  /** Nothing new is begun until retention has made room. */
  storageFull: boolean;
  /** Agents that build, and are online. */
  builders: number;
  note: string | null;
  attempts: number;
}

/** Why a job does not run, in words with numbers; null when it runs or ran. Pure. */
export function whyWaiting(facts: WaitingFacts): string | null {
  switch (facts.state) {
    case 'running':
      return null;
    case 'ended':
      return facts.attempts === 0 ? facts.note : null;
    case 'blocked':
      return `waiting for the build ${facts.build}`;
    case 'queued':
      if (facts.storageFull)
        return 'the storage is full: nothing is started until there is room (peerlab retention status)';
      return facts.kind === 'build' ? whyBuildWaits(facts) : whyTestWaits(facts);
  }
}

function whyBuildWaits(facts: WaitingFacts): string {
  if (facts.builders === 0) return 'no connected agent has the capability "build"; start one';
  return facts.pausedUntil === null ? line(facts.ahead, 'a build slot') : paused(facts.pausedUntil);
}

function whyTestWaits(facts: WaitingFacts): string {
  const { machine } = facts;
  if (machine === null) return 'has no machine';
  const { name, agent } = machine;
  if (machine.desired !== 'active') return `${name} is ${desiredInWords(machine.desired)}; activate it to go on`;
  if (!machine.agentOnline) return `${name} is offline: its agent ${agent} is silent since ${machine.agentLastSeenAt}`;
  if (!machine.leased && !machine.reachable) {
    return `${name} is offline: ${machine.problem ?? 'its agent cannot reach it'}`;
  }
  if (facts.pausedUntil !== null) return paused(facts.pausedUntil);
  if (facts.ahead > 0) return line(facts.ahead, name);
  if (machine.leased) return `next in line for ${name}`;
  const { slots } = machine;
  if (slots !== null && slots.taken >= slots.total)
    return `${name} is free, but its agent ${agent} runs ${slots.taken} of at most ${slots.total} tests`;
  return `about to start on ${name}`;
}

const paused = (until: string): string => `tries again at ${until}`;

function line(ahead: number, what: string): string {
  return ahead === 0 ? `next in line for ${what}` : `${ordinal(ahead + 1)} in line for ${what}`;
}

/** 1st, 2nd, 3rd, 4th, 11th, 21st … */
export function ordinal(n: number): string {
  const tens = n % 100;
  const suffix = tens >= 11 && tens <= 13 ? 'th' : ({ 1: 'st', 2: 'nd', 3: 'rd' }[n % 10] ?? 'th');
  return `${n}${suffix}`;
}
