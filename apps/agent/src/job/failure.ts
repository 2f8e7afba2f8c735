import {
  type AnyStage,
  type AttemptEvent,
  type BootTrouble,
  cutText,
  type FailureClass,
  isHardwareCrash,
} from '@peerlab/contracts';
import { MachineError, adviceOf } from '../machine/errors.js';
import { DeadlinePassed } from '../timing.js';

export type Failure = NonNullable<Extract<AttemptEvent, { type: 'finished' }>['failure']>;

/** Longest message of a failure, in characters. */
const MESSAGE_MAX = 4000;

/** Ends an attempt with a known class. */
export class JobFailure extends Error {
  constructor(
    readonly failureClass: FailureClass,
    message: string,
    readonly signature: string | null = null,
    /** Of a boot that failed by the machine's own fault, whatever kernel it was. */
    readonly trouble: BootTrouble | null = null,
  ) {
    super(message);
    this.name = 'JobFailure';
  }
}

/**
 * A crash of the kernel under test as the end of its attempt. One by which the hardware stopped the kernel says nothing about
 * it: the lab's, and repeated.
 */
export function crashFailure(message: string, signature: string): JobFailure {
  if (!isHardwareCrash(signature)) return new JobFailure('kernel-crash', message, signature);
  return new JobFailure('infrastructure', `the hardware stopped the kernel: ${message}`);
}

/** The agent's whole life ends: nothing more may be written, the next start cleans up. */
export class AgentStopping extends Error {
  constructor() {
    super('the agent stops');
    this.name = 'AgentStopping';
  }
}

/** Any thrown value as the failure of a stage; an unexpected one is a bug of the agent. */
export function failureOf(error: unknown, stage: AnyStage | null): Failure {
  if (error instanceof JobFailure) {
    return {
      class: error.failureClass,
      stage,
      message: cutText(error.message, MESSAGE_MAX),
      signature: error.signature,
      ...(error.trouble === null ? {} : { trouble: error.trouble }),
    };
  }
  if (error instanceof MachineError || error instanceof DeadlinePassed) {
    return { class: 'infrastructure', stage, message: cutText(adviceOf(error), MESSAGE_MAX), signature: null };
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { class: 'agent-bug', stage, message: cutText(text, MESSAGE_MAX), signature: null };
}
