import type { AnyStage, AttemptEvent, FailureClass } from '@peerlab/contracts';
import { MachineError, adviceOf } from '../machine/errors.js';
import { DeadlinePassed } from '../timing.js';

export type Failure = NonNullable<Extract<AttemptEvent, { type: 'finished' }>['failure']>;

/** Ends an attempt with a known class. */
export class JobFailure extends Error {
  constructor(
    readonly failureClass: FailureClass,
    message: string,
    readonly signature: string | null = null,
  ) {
    super(message);
    this.name = 'JobFailure';
  }
}

/** The agent's whole life ends: nothing more may be written, the next start cleans up. */
export class AgentStopping extends Error {
  constructor() {
    super('the agent stops');
    this.name = 'AgentStopping';
  }
}

/** Any thrown value as the failure of a stage; what nobody expected is the agent's own bug. */
export function failureOf(error: unknown, stage: AnyStage | null): Failure {
  if (error instanceof JobFailure) {
    return { class: error.failureClass, stage, message: error.message, signature: error.signature };
  }
  if (error instanceof MachineError || error instanceof DeadlinePassed) {
    return { class: 'infrastructure', stage, message: adviceOf(error), signature: null };
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { class: 'agent-bug', stage, message: text.slice(0, 2000), signature: null };
}
