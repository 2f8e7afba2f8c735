import {
  aboutText,
  desiredInWords,
  fewOf,
  startText,
  utcText,
  type ExpectedStart,
  type JobState,
  type MachineDesired,
} from '@peerlab/contracts';

/** What decides whether a machine takes a job, as read from the database. */
export interface MachineFacts {
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
}

/** What decides whether a job can start, as read from the database. */
export interface WaitingFacts {
  kind: 'build' | 'test';
  state: JobState;
  build: string;
  /** Jobs that come before it on the same machine, or for the same build slots. */
  ahead: number;
  /** A build that is not there yet and whose boot comes before this one on the machine, in a run with `repeat`. */
  turnOf?: string | null;
  /** When it is expected to start, milliseconds from now; null = unknown. */
  startsInMs: number | null;
  /** Until when a further attempt is put off, ISO 8601; null when it is not. */
  pausedUntil: string | null;
  machine: MachineFacts | null;
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
      return `waiting for the build ${facts.build}${soon(facts)}`;
    case 'queued':
      if (facts.storageFull) return STORAGE_FULL;
      return facts.kind === 'build' ? whyBuildWaits(facts) : whyTestWaits(facts);
  }
}

/** When a job that is only planned could start; one whose kernel has to be built is in the state `blocked`. Pure. */
export function expectedStart(facts: WaitingFacts & { machine: MachineFacts }): ExpectedStart {
  const { machine } = facts;
  const obstacle = facts.storageFull ? { text: STORAGE_FULL, lastSeenAt: null } : obstacleOf(machine);
  if (obstacle !== null) return { when: 'blocked', inMs: null, ...obstacle };
  const inMs = facts.startsInMs;
  if (facts.state === 'blocked') {
    if (facts.builders === 0) return { when: 'blocked', inMs: null, text: NO_BUILDER, lastSeenAt: null };
    return { when: 'build', inMs, text: `after its build${soon(facts)}`, lastSeenAt: null };
  }
  if (facts.ahead === 0 && !machine.leased && !isFull(machine)) {
    return { when: 'now', inMs: 0, text: `now on ${machine.name}`, lastSeenAt: null };
  }
  return { when: 'queue', inMs, text: whyTestWaits(facts), lastSeenAt: null };
}

/**
 * Why none of a run's jobs can start without intervention; null if one can, or only waits its turn.
 * @param machines of its queued tests
 * @param builds how many builds of it are queued
 */
export function whyStuck({
  machines,
  builds,
  builders,
  storageFull,
}: {
  machines: readonly MachineFacts[];
  builds: number;
  builders: number;
  storageFull: boolean;
}): string | null {
  if (machines.length === 0 && builds === 0) return null;
  if (storageFull) return STORAGE_FULL;
  if (builds > 0 && builders > 0) return null;
  const obstacles = machines.map(obstacleOf);
  if (obstacles.includes(null)) return null;
  const texts = [
    ...(builds > 0 ? [NO_BUILDER] : []),
    ...obstacles.map((each) => (each === null ? '' : startText(each))),
  ];
  return fewOf(texts, 1);
}

const STORAGE_FULL = 'the storage is full: nothing is started until there is room (peerlab retention)';
const NO_BUILDER = 'no connected agent has the capability "build"; start one';

function whyBuildWaits(facts: WaitingFacts): string {
  if (facts.builders === 0) return NO_BUILDER;
  return facts.pausedUntil === null ? line(facts, 'a build slot') : paused(facts.pausedUntil);
}

/** Why a machine takes nothing at all without intervention; null if it does take jobs. */
function obstacleOf({ name, agent, ...machine }: MachineFacts): Pick<ExpectedStart, 'text' | 'lastSeenAt'> | null {
  if (machine.desired !== 'active') {
    return { text: `${name} is ${desiredInWords(machine.desired)}; activate it to go on`, lastSeenAt: null };
  }
  if (!machine.agentOnline) {
    return { text: `${name} is offline: its agent ${agent} is silent`, lastSeenAt: machine.agentLastSeenAt };
  }
  if (!machine.leased && !machine.reachable) {
    return { text: `${name} is offline: ${machine.problem ?? 'its agent cannot reach it'}`, lastSeenAt: null };
  }
  return null;
}

const isFull = ({ slots }: MachineFacts): boolean => slots !== null && slots.taken >= slots.total;

function whyTestWaits(facts: WaitingFacts): string {
  const { machine } = facts;
  if (machine === null) return 'has no machine';
  const obstacle = obstacleOf(machine);
  if (obstacle !== null) return startText(obstacle);
  if (facts.pausedUntil !== null) return paused(facts.pausedUntil);
  if (facts.turnOf != null && !machine.leased) {
    return `waiting for its turn: builds take turns on ${machine.name}, and ${facts.turnOf} is not built yet`;
  }
  if (facts.ahead > 0 || machine.leased) return line(facts, machine.name);
  const { name, agent, slots } = machine;
  if (slots !== null && isFull(machine)) {
    return `${name} is free, but its agent ${agent} runs ${slots.taken} of at most ${slots.total} tests${soon(facts)}`;
  }
  return `about to start on ${name}`;
}

const paused = (until: string): string => `tries again at ${utcText(until)}`;

function line(facts: WaitingFacts, what: string): string {
  const { ahead } = facts;
  return `${ahead === 0 ? 'next' : ordinal(ahead + 1)} in line for ${what}${soon(facts)}`;
}

function soon({ startsInMs }: WaitingFacts): string {
  const about = aboutText(startsInMs);
  return about === '' ? '' : `, ${about}`;
}

/** 1st, 2nd, 3rd, 4th, 11th, 21st … */
export function ordinal(n: number): string {
  const tens = n % 100;
  const suffix = tens >= 11 && tens <= 13 ? 'th' : ({ 1: 'st', 2: 'nd', 3: 'rd' }[n % 10] ?? 'th');
  return `${n}${suffix}`;
}
