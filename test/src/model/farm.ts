/**
 * The lease and evidence protocol between controller, agent and one machine, as small as it can be
 * with every fault that matters in it: one job, two attempts, one log line, one result.
 *
 * Names follow the code: apps/controller/src/dispatch (claim, reconcile, renew, reap), results and logs
 * (intake), apps/agent/src/worker (assign, drop, recover, lease guard) and spool (sender).
 *
 * What is left out, and why nothing is missed by it:
 * - A message whose delay changes nothing is sent and read in one step: what it says holds as well at
 *   the moment of its arrival. So heartbeats, drop and cancel; under way are only an assignment,
 *   a renewal, a welcome, frames of evidence that come late, and a hello that a frozen controller reads after the agent
 *   went to another one.
 * - A frame of evidence is sent, stored and acknowledged in one step. That its acknowledgement is lost
 *   comes to the same as the frame arriving late, over a connection that has broken meanwhile.
 * - Time is only order. A lease runs out at the agent before it runs out in the database, because the
 *   agent counts from the moment at which it sent the heartbeat; a pause and a wrong clock undo that.
 * - A controller that dies is a connection that breaks: all it knows is in Postgres.
 */

export const State = { none: 0, assigned: 1, running: 2, ended: 3 } as const;
export const Phase = { none: 0, waiting: 1, flashed: 2, tested: 3, clean: 4, finished: 5, gone: 6 } as const;
export const Job = { queued: 0, running: 1, ended: 2 } as const;
/** gone = its computer is lost and is not replaced. */
export const Agent = { down: 0, up: 1, paused: 2, gone: 3 } as const;
export const Link = { down: 0, answered: 1, up: 2 } as const;
/** What the controller heard of the machine's restoration. */
export const Restored = { unknown: 0, yes: 1, no: 2 } as const;
/** The agent's own count of a lease: it begins with the first renewal, and once run out it never comes back. */
export const Lease = { unconfirmed: 0, held: 1, ranOut: 2 } as const;
/** What must never be done to a machine. */
export const Harm = { none: 0, withoutLease: 1, overSuccessor: 2 } as const;

/** An attempt as Postgres holds it, as the agent holds it, and what is under way between them. Its fence is its place plus one. */
export interface Attempt {
  /** In Postgres. An attempt that is assigned or running has the lease. */
  state: number;
  revoked: number;
  /** Log lines and events stored, in order. */
  log: number;
  events: number;
  /** An entry was stored a second time. */
  doubled: number;
  restored: number;

  /** At the agent, on its disk. */
  phase: number;
  /** Produced so far: the truth. */
  madeLog: number;
  madeEvents: number;
  /** The last event produced is `finished`. */
  final: number;
  /** To end at once: canceled, dropped, the lease ran out, or the agent was restarted. */
  stopping: number;
  dropped: number;
  /** The machine could not be restored. */
  failed: number;
  /** Its disk is gone, and the attempt with it. */
  lost: number;

  /** In the agent's memory: acknowledged, and its own count of the lease. */
  ackedLog: number;
  ackedEvents: number;
  lease: number;

  /** Under way on the connection of now; the last two in its welcome. */
  assign: number;
  renewed: number;
  knownLog: number;
  knownEvents: number;
  /** Need not be assigned on this connection: named by the agent, or assigned already. */
  believed: number;

  /** Under way on an older connection; the event's number plus one. */
  lateLog: number;
  lateEvent: number;
}

export interface Farm {
  job: number;
  /** Fence whose end decided the job; 0 = none did, it was given up or canceled. */
  decidedBy: number;
  canceled: number;
  quarantined: number;
  agent: number;
  link: number;
  /** Heartbeats do not get through, and neither side notices. */
  stalled: number;
  /** A hello that a frozen controller has not read yet: one, and the attempts that it names, as bits; 0 = none. */
  lateHello: number;
  /** The agent's clock cannot be trusted. */
  skewed: number;
  /** Fence of the attempt whose kernel is on the machine; 0 = the default kernel. */
  kernel: number;
  /** Highest fence written down on the machine, and highest that has begun there. */
  machineFence: number;
  begun: number;
  /** A copy of the agent, brought back from a backup, takes this fence for its own; what it has done so far. */
  ghost: number;
  ghostActed: number;
  /** It was the copy that wrote the machine's fence. */
  ghostFence: number;
  harm: number;
  /** Faults that may still happen. */
  faults: number;
  attempts: [Attempt, Attempt];
}

/** Parts of the protocol that a test can switch off, to see that the promises hang on them. */
export interface Rules {
  /** A job is claimed once, and only for a machine that is free, whatever other replicas do. */
  claimsOnce: boolean;
  /** A revoked attempt decides nothing. */
  fenced: boolean;
  /** The intake compares sequence numbers. */
  sequenced: boolean;
  /** `finished` waits until all log lines are acknowledged. */
  finishedLast: boolean;
  /** Evidence of an attempt that was revoked is stored. */
  storesRevoked: boolean;
  /** A dropped attempt is delivered before it is forgotten. */
  deliversDropped: boolean;
  /** Jobs of one machine wait for each other. */
  oneAtATime: boolean;
  /** An agent that restarts restores what it finds. */
  recovers: boolean;
  /** What an agent forgot is ended when it comes back without it. */
  reconciles: boolean;
  /** A hello ends nothing: it may be older than what its agent has begun since. Only a welcomed agent sends heartbeats. */
  helloEndsNothing: boolean;
  /** Leases run out. */
  expires: boolean;
  /** A machine that was not restored is taken out of service, also when a revoked attempt reports it. */
  quarantines: boolean;
  /** The agent stops when its own count of the lease has run out. */
  selfFences: boolean;
  /** Nothing is begun before the controller has confirmed the lease. */
  awaitsRenewal: boolean;
  /** Every action asks the clock first, also right after the agent was paused. */
  guardsActions: boolean;
  /** The agent counts the lease from when it sent the heartbeat, not from when it was answered. */
  countsFromSending: boolean;
  /** The machine remembers the highest fence with who wrote it, and refuses all others. */
  machineFence: boolean;
}

export const ALL_RULES: Rules = {
  claimsOnce: true,
  fenced: true,
  sequenced: true,
  finishedLast: true,
  storesRevoked: true,
  deliversDropped: true,
  oneAtATime: true,
  recovers: true,
  reconciles: true,
  helloEndsNothing: true,
  expires: true,
  quarantines: true,
  selfFences: true,
  awaitsRenewal: true,
  guardsActions: true,
  countsFromSending: true,
  machineFence: true,
};

const ATTEMPT: Attempt = {
  state: State.none,
  revoked: 0,
  log: 0,
  events: 0,
  doubled: 0,
  restored: Restored.unknown,
  phase: Phase.none,
  madeLog: 0,
  madeEvents: 0,
  final: 0,
  stopping: 0,
  dropped: 0,
  failed: 0,
  lost: 0,
  ackedLog: 0,
  ackedEvents: 0,
  lease: 0,
  assign: 0,
  renewed: 0,
  knownLog: 0,
  knownEvents: 0,
  believed: 0,
  lateLog: 0,
  lateEvent: 0,
};

const FARM: Omit<Farm, 'attempts'> = {
  job: Job.queued,
  decidedBy: 0,
  canceled: 0,
  quarantined: 0,
  agent: Agent.up,
  link: Link.down,
  stalled: 0,
  lateHello: 0,
  skewed: 0,
  kernel: 0,
  machineFence: 0,
  begun: 0,
  ghost: 0,
  ghostActed: 0,
  ghostFence: 0,
  harm: Harm.none,
  faults: 0,
};

const ATTEMPT_KEYS = Object.keys(ATTEMPT) as (keyof Attempt)[];
const FARM_KEYS = Object.keys(FARM) as (keyof typeof FARM)[];

export const startOf = (faults: number): Farm => ({ ...FARM, faults, attempts: [{ ...ATTEMPT }, { ...ATTEMPT }] });

export const copyOf = (farm: Farm): Farm => ({
  ...farm,
  attempts: [{ ...farm.attempts[0] }, { ...farm.attempts[1] }],
});

/** One character for each number. */
export function encode(farm: Farm): string {
  let text = '';
  for (const key of FARM_KEYS) text += farm[key];
  for (const attempt of farm.attempts) for (const key of ATTEMPT_KEYS) text += attempt[key];
  return text;
}

export function decode(text: string): Farm {
  const farm = startOf(0);
  let at = 0;
  for (const key of FARM_KEYS) farm[key] = text.charCodeAt(at++) - 48;
  for (const attempt of farm.attempts) for (const key of ATTEMPT_KEYS) attempt[key] = text.charCodeAt(at++) - 48;
  return farm;
}

export const isOpen = ({ state }: Attempt): boolean => state === State.assigned || state === State.running;
/** On the agent's disk. */
export const isHeld = ({ phase }: Attempt): boolean => phase > Phase.none && phase < Phase.gone;
/** Its job runs, or waits to. */
export const hasJob = ({ phase }: Attempt): boolean => phase > Phase.none && phase < Phase.finished;
export const isWorking = ({ phase }: Attempt): boolean => phase === Phase.flashed || phase === Phase.tested;
