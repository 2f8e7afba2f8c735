import {
  aboutText,
  chooseSeats,
  desiredInWords,
  fewOf,
  reservedInWords,
  startText,
  utcText,
  type ExpectedStart,
  type JobState,
  type Labels,
  type MachineDesired,
  type ReservedFor,
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
  /** Who has it, as no job may; null = nobody. */
  reserved: ReservedFor | null;
  /** Tests that its agent runs, and how many it runs at most; null = no limit. */
  slots: { taken: number; total: number } | null;
}

/** A machine that a job may run on. */
export interface CandidateFacts extends MachineFacts {
  /** Its agent can test the pair that the job is about: any, or the first one of the machine alone. */
  takesPair: boolean;
  /** Its agent knows what a job with several roles is. */
  takesRoles: boolean;
  labels: Labels;
  /** Why it takes nothing but its health check; null = it serves, or the job is such a check. */
  unproven: string | null;
}

/** A role of a job that has several. */
export interface RoleFacts {
  role: string;
  /** Label of its combination. */
  combination: string;
  /** Machines that may take it, by name. */
  machines: readonly CandidateFacts[];
}

/** What decides whether a job can start, as read from the database. */
export interface WaitingFacts {
  kind: 'build' | 'test';
  state: JobState;
  build: string;
  /** Label of its combination; null for builds. */
  combination: string | null;
  /** Jobs that come before it for the same machines, or for the same build slots. */
  ahead: number;
  /** A build that is not there yet and whose boot comes before this one on the machine, in a run with `repeat`. */
  turnOf?: string | null;
  /** When it is expected to start, milliseconds from now; null = unknown. */
  startsInMs: number | null;
  /** Until when a further attempt is put off, ISO 8601; null when it is not. */
  pausedUntil: string | null;
  /** Machines that may take it, by name; none for builds, and for jobs with several roles. */
  machines: readonly CandidateFacts[];
  /** Of a job with several; empty for all others. */
  roles: readonly RoleFacts[];
  /** Labels that the machines of its roles must have with one value. */
  sameLabels: readonly string[];
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
      return `waiting for the ${facts.build.includes(', ') ? 'builds' : 'build'} ${facts.build}${soon(facts)}`;
    case 'queued':
      if (facts.storageFull) return STORAGE_FULL;
      return facts.kind === 'build' ? whyBuildWaits(facts) : whyTestWaits(facts);
  }
}

/** When a job that is only planned could start; one whose kernel has to be built is in the state `blocked`. Pure. */
export function expectedStart(facts: WaitingFacts): ExpectedStart {
  const obstacle = facts.storageFull ? { text: STORAGE_FULL, lastSeenAt: null } : obstacleOfAll(facts);
  if (obstacle !== null) return { when: 'blocked', inMs: null, ...obstacle };
  const inMs = facts.startsInMs;
  if (facts.state === 'blocked') {
    if (facts.builders === 0) return { when: 'blocked', inMs: null, text: NO_BUILDER, lastSeenAt: null };
    return { when: 'build', inMs, text: `after its build${soon(facts)}`, lastSeenAt: null };
  }
  if (facts.roles.length > 0) return expectedStartOfRoles(facts);
  const free = freeOf(facts);
  if (facts.ahead < free.length) return { when: 'now', inMs: 0, text: `now on ${oneOf(free)}`, lastSeenAt: null };
  return { when: 'queue', inMs, text: whyTestWaits(facts), lastSeenAt: null };
}

function expectedStartOfRoles(facts: WaitingFacts): ExpectedStart {
  const seats = seatsOf(facts, isFreeNow);
  if (seats !== null) return { when: 'now', inMs: 0, text: `now on ${seats.join(' and ')}`, lastSeenAt: null };
  return { when: 'queue', inMs: facts.startsInMs, text: whyTestWaits(facts), lastSeenAt: null };
}

/**
 * Why none of a run's jobs can start without intervention; null if one can, or only waits its turn.
 * @param tests its queued tests, each kind of them once: what they are for, and the machines that may take them
 * @param builds how many builds of it are queued
 */
export function whyStuck({
  tests,
  builds,
  builders,
  storageFull,
}: {
  tests: readonly Placed[];
  builds: number;
  builders: number;
  storageFull: boolean;
}): string | null {
  if (tests.length === 0 && builds === 0) return null;
  if (storageFull) return STORAGE_FULL;
  if (builds > 0 && builders > 0) return null;
  const obstacles = tests.map(obstacleOfAll);
  if (obstacles.includes(null)) return null;
  const texts = [
    ...(builds > 0 ? [NO_BUILDER] : []),
    ...obstacles.map((each) => (each === null ? '' : startText(each))),
  ];
  return fewOf([...new Set(texts)], 1);
}

const STORAGE_FULL = 'the storage is full: nothing is started until there is room (peerlab retention)';
const NO_BUILDER = 'no connected agent has the capability "build"; start one';

function whyBuildWaits(facts: WaitingFacts): string {
  if (facts.builders === 0) return NO_BUILDER;
  return facts.pausedUntil === null ? line(facts, 'a build slot') : paused(facts.pausedUntil);
}

/** What a job needs, whatever else decides when it starts. */
type Placed = Pick<WaitingFacts, 'combination' | 'machines' | 'roles' | 'sameLabels'>;
type Obstacle = Pick<ExpectedStart, 'text' | 'lastSeenAt'>;

/** Why a machine takes nothing at all without intervention; null if it does take jobs. */
function obstacleOf({ name, agent, ...machine }: CandidateFacts): Obstacle | null {
  if (machine.desired !== 'active') {
    return { text: `${name} is ${desiredInWords(machine.desired)}; activate it to go on`, lastSeenAt: null };
  }
  if (!machine.agentOnline) {
    return { text: `${name} is offline: its agent ${agent} is silent`, lastSeenAt: machine.agentLastSeenAt };
  }
  // Its holder may do with it what is needed: that it does not answer is no trouble.
  if (!machine.leased && machine.reserved === null && !machine.reachable) {
    return { text: `${name} is offline: ${machine.problem ?? 'its agent cannot reach it'}`, lastSeenAt: null };
  }
  if (!machine.takesPair) {
    const text = `${name} has several pairs of devices, and its agent ${agent} or the kernel cannot choose one; update the agent and build again`;
    return { text, lastSeenAt: null };
  }
  return null;
}

/** Why nothing takes a test without intervention; null if something does. */
function obstacleOfAll(facts: Placed): Obstacle | null {
  if (facts.roles.length === 0) return obstacleOfRole(facts);
  for (const { role, ...own } of facts.roles) {
    const machines = own.machines.filter(({ takesRoles }) => takesRoles);
    const [older] = own.machines;
    const obstacle =
      machines.length === 0 && older !== undefined
        ? {
            text: `the agent ${older.agent} of ${older.name} is too old for jobs with several roles; update it`,
            lastSeenAt: null,
          }
        : obstacleOfRole({ combination: own.combination, machines });
    if (obstacle !== null) return { ...obstacle, text: `role ${role}: ${obstacle.text}` };
  }
  if (seatsOf(facts, (machine) => obstacleOf(machine) === null) !== null) return null;
  const names = facts.roles.map(({ role }) => role).join(' and ');
  const related = facts.sameLabels.length === 0 ? '' : ` with the same ${facts.sameLabels.join(' and ')}`;
  const text = `there are no ${facts.roles.length} different machines${related} that can take the roles ${names} together`;
  return { text, lastSeenAt: null };
}

/** A machine for each role, of those that may be taken: their names, or null when there are not enough. */
function seatsOf({ roles, sameLabels }: Placed, mayTake: (machine: CandidateFacts) => boolean): string[] | null {
  const slots = new Map<string, number>();
  for (const { agent, slots: own } of roles.flatMap(({ machines }) => machines)) {
    if (own !== null) slots.set(agent, mayTake === isFreeNow ? own.total - own.taken : own.total);
  }
  const seats = chooseSeats(
    roles.map(({ machines }) =>
      machines
        .filter((machine) => machine.takesRoles && mayTake(machine))
        .map(({ name, agent, labels }) => ({ machine: name, agent, labels, isFree: true })),
    ),
    sameLabels,
    (agent) => ({ free: slots.get(agent) ?? Infinity, total: slots.get(agent) ?? Infinity }),
  );
  return seats?.map(({ machine }) => machine) ?? null;
}

/** Why no machine takes a role without intervention; null if one does. */
function obstacleOfRole({ combination, machines }: Pick<WaitingFacts, 'combination' | 'machines'>): Obstacle | null {
  const what = combination ?? 'its combination';
  const [only, ...others] = machines;
  if (only === undefined) return { text: `no machine that may take it has ${what} any more`, lastSeenAt: null };
  if (others.length === 0) return obstacleOf(only);
  const texts = machines.map(obstacleOf).filter((each) => each !== null);
  if (texts.length < machines.length) return null;
  return {
    text: `no machine of ${what} can take it: ${fewOf(
      texts.map((each) => each.text),
      STATES_SHOWN,
    )}`,
    lastSeenAt: null,
  };
}

/** Machines whose state is told of a job that any of them may take. */
const STATES_SHOWN = 4;

const isFull = ({ slots }: MachineFacts): boolean => slots !== null && slots.taken >= slots.total;

const isFreeNow = (machine: CandidateFacts): boolean =>
  obstacleOf(machine) === null &&
  machine.reserved === null &&
  machine.unproven === null &&
  !machine.leased &&
  !isFull(machine);

/** The machines that could take it at once. */
const freeOf = ({ machines }: WaitingFacts): CandidateFacts[] => machines.filter(isFreeNow);

const oneOf = (machines: readonly MachineFacts[]): string => {
  const names = machines.map(({ name }) => name);
  return names.length === 1 ? (names[0] ?? '') : `one of ${fewOf(names)}`;
};

function whyTestWaits(facts: WaitingFacts): string {
  const obstacle = obstacleOfAll(facts);
  if (obstacle !== null) return startText(obstacle);
  if (facts.pausedUntil !== null) return paused(facts.pausedUntil);
  if (facts.roles.length > 0) return whyRolesWait(facts);
  const { machines, ahead } = facts;
  const [machine] = machines;
  const where = machines.length === 1 ? (machine?.name ?? '') : 'one machine';
  if (facts.turnOf != null && machines.some((each) => obstacleOf(each) === null && !each.leased)) {
    return `waiting for its turn: builds take turns on ${where}, and ${facts.turnOf} is not built yet`;
  }
  const free = freeOf(facts);
  if (ahead < free.length) return `about to start on ${oneOf(free)}`;
  if (machines.length > 1) {
    return line(
      facts,
      `a machine of ${facts.combination ?? 'its combination'} (${fewOf(machines.map(stateOf), STATES_SHOWN)})`,
    );
  }
  if (machine !== undefined && machine.reserved !== null) {
    return `${line(facts, machine.name)}; it is ${reservedInWords(machine.reserved)}`;
  }
  if (machine !== undefined && machine.unproven !== null) {
    return `${machine.name} takes no jobs until its health check has passed: ${machine.unproven}`;
  }
  if (machine === undefined || ahead > 0 || machine.leased) return line(facts, where);
  const { name, agent, slots } = machine;
  return `${name} is free, but its agent ${agent} runs ${slots?.taken} of at most ${slots?.total} tests${soon(facts)}`;
}

/** Which roles lack a machine, and what theirs do. */
function whyRolesWait(facts: WaitingFacts): string {
  const seats = seatsOf(facts, isFreeNow);
  if (facts.turnOf != null && seats !== null) {
    return `waiting for its turn: builds take turns on ${seats.join(' and ')}, and ${facts.turnOf} is not built yet`;
  }
  if (seats !== null) return `about to start on ${seats.join(' and ')}`;
  const lacking = facts.roles.filter(({ machines }) => !machines.some(isFreeNow));
  const names = facts.roles.map(({ role }) => role).join(' and ');
  const what = lacking.map(({ role, machines }) => {
    const [only] = machines;
    const state = machines.length === 1 && only !== undefined ? stateOf(only).replace(': ', ' is ') : null;
    return `role ${role}: ${state ?? fewOf(machines.map(stateOf), STATES_SHOWN)}`;
  });
  if (what.length === 0) return `waits for machines that are free together for the roles ${names}${soon(facts)}`;
  return `waits for a machine for ${what.join('; ')}${soon(facts)}`;
}

/** `v-a: busy`, `v-b: drained`. */
function stateOf(machine: CandidateFacts): string {
  const { name, desired, agentOnline, reachable, leased, takesPair, unproven, reserved } = machine;
  if (desired !== 'active') return `${name}: ${desiredInWords(desired)}`;
  if (!agentOnline || (!leased && !reachable && reserved === null)) return `${name}: offline`;
  if (!takesPair) return `${name}: cannot choose the pair`;
  if (reserved !== null) return `${name}: ${reservedInWords(reserved)}`;
  if (unproven !== null) return `${name}: its health check has not passed`;
  if (leased) return `${name}: busy`;
  return isFull(machine) ? `${name}: its agent is busy` : `${name}: free`;
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
