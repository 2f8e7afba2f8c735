/**
 * The lease and evidence protocol between controller, agent and one machine, as small as it can be
 * with every fault that matters in it: one job, two attempts, one log line, one result.
 *
 * Names follow the code: apps/controller/src/dispatch (claim, reconcile, renew, reap), results and logs
 * (intake), apps/agent/src/worker (assign, drop, recover) and spool (sender).
 */

/** An attempt as Postgres holds it. Its fence is its place in the list plus one. */
export interface StoredAttempt {
  state: 'assigned' | 'running' | 'ended';
  revoked: boolean;
  leased: boolean;
  /** Log lines and events stored, in order. */
  log: number;
  events: number;
  /** An entry was stored a second time. */
  doubled: boolean;
  restored: boolean | null;
  /** What happened at the machine, as nobody but the model knows. */
  truth: { log: number; events: number };
  /** The agent's disk with this attempt on it is gone. */
  spoolLost: boolean;
}

/** An attempt on the agent's disk. */
export interface HeldAttempt {
  fence: number;
  phase: 'waiting' | 'flashed' | 'tested' | 'clean' | 'finished';
  log: number;
  events: number;
  /** The job is to end at once: canceled, dropped, or the agent was restarted. */
  stopping: boolean;
  /** Taken away by the controller: it still delivers what it has. */
  dropped: boolean;
  restored: boolean;
  /** Memory only: what was sent and acknowledged on this connection. */
  sent: { log: number; events: number };
  acked: { log: number; events: number };
}

export type ToController =
  | { type: 'hello'; held: { fence: number }[] }
  | { type: 'heartbeat'; held: number[] }
  | { type: 'accepted'; fence: number }
  | { type: 'declined'; fence: number }
  | { type: 'log'; fence: number; seq: number }
  | { type: 'event'; fence: number; seq: number; finished: boolean; restored: boolean };

export type ToAgent =
  | { type: 'welcome'; known: { fence: number; log: number; events: number }[] }
  | { type: 'assign'; fence: number }
  | { type: 'ack'; fence: number; stream: 'log' | 'events'; next: number }
  | { type: 'drop'; fence: number }
  | { type: 'cancel'; fence: number };

export interface Farm {
  job: 'queued' | 'running' | 'ended';
  /** Fence whose end decided the job; 0 = none did, it was given up or canceled. */
  decidedBy: number;
  cancelRequested: boolean;
  quarantined: boolean;
  attempts: StoredAttempt[];
  agent: { up: boolean; held: HeldAttempt[] };
  /** Fences whose kernel is on the machine now. */
  dirty: number[];
  link: {
    state: 'down' | 'greeting' | 'up';
    toController: ToController[];
    toAgent: ToAgent[];
    /** Fences that need not be assigned on this connection: named by the agent, or assigned already. */
    believed: number[];
    cancelTold: boolean;
  };
  /** Frames of an older connection that another controller has not read yet. */
  late: ToController[];
  /** Faults that may still happen. */
  faults: number;
}

/** Parts of the protocol that a test can switch off, to see that the promises hang on them. */
export interface Rules {
  /** Frames carry the fence and a stale one decides nothing. */
  fenced: boolean;
  /** The intake compares sequence numbers. */
  sequenced: boolean;
  /** `finished` waits until all log lines are acknowledged. */
  finishedLast: boolean;
  /** A dropped attempt is delivered before it is forgotten. */
  deliversDropped: boolean;
  /** Jobs of one machine wait for each other. */
  oneAtATime: boolean;
  /** An agent that restarts restores what it finds. */
  recovers: boolean;
  /** What an agent forgot is ended when it comes back without it. */
  reconciles: boolean;
  /** Leases run out. */
  expires: boolean;
}

export const ALL_RULES: Rules = {
  fenced: true,
  sequenced: true,
  finishedLast: true,
  deliversDropped: true,
  oneAtATime: true,
  recovers: true,
  reconciles: true,
  expires: true,
};

export const ATTEMPTS_MAX = 2;

export function startOf(faults: number): Farm {
  return {
    job: 'queued',
    decidedBy: 0,
    cancelRequested: false,
    quarantined: false,
    attempts: [],
    agent: { up: true, held: [] },
    dirty: [],
    link: { state: 'down', toController: [], toAgent: [], believed: [], cancelTold: false },
    late: [],
    faults,
  };
}

export const isOpen = (attempt: StoredAttempt): boolean => attempt.state !== 'ended';
export const isWorking = ({ phase }: HeldAttempt): boolean => phase === 'flashed' || phase === 'tested';
export const attemptOf = (farm: Farm, fence: number): StoredAttempt | undefined => farm.attempts[fence - 1];
export const heldOf = (farm: Farm, fence: number): HeldAttempt | undefined =>
  farm.agent.held.find((held) => held.fence === fence);
