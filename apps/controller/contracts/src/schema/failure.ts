import { z } from 'zod';

/** Why an attempt did not complete. Every class has one owner and one retry policy. */
export const FailureClass = z.enum([
  'request',
  'build',
  'infrastructure',
  'provisioning',
  'kernel-crash',
  'timeout',
  'harness',
  'agent-bug',
  'controller-bug',
  'canceled',
  'peer',
]);
export type FailureClass = z.infer<typeof FailureClass>;

/**
 * Trouble with booting that is the machine's own, whatever kernel is booted: twice in a row takes it out of service. `not-taken`: it
 * came back with its default kernel although another entry was selected. `fallback`: no kernel answered, and after a reset the default
 * one did. Neither is said where a candidate that prints nothing would look the same.
 */
export const BootTrouble = z.enum(['not-taken', 'fallback']);
export type BootTrouble = z.infer<typeof BootTrouble>;

export interface FailurePolicy {
  owner: 'submitter' | 'lab' | 'peerlab';
  /** Further attempts after the first one. */
  retries: number;
  /** Whether the kernel under test is to blame: a finding (exit 1) and not noise (exit 2). */
  finding: boolean;
  /** How it is shown everywhere: `bad` = something went wrong, `quiet` = it was requested. */
  tone: 'bad' | 'quiet';
  help: string;
}

export const FAILURE_POLICY: Record<FailureClass, FailurePolicy> = {
  request: {
    owner: 'submitter',
    retries: 0,
    finding: false,
    tone: 'bad',
    help: 'The run asks for something that cannot be done; correct the named field.',
  },
  build: {
    owner: 'submitter',
    retries: 0,
    finding: true,
    tone: 'bad',
    help: 'The series does not apply or compile; the message names patch, file and hunk or line.',
  },
  infrastructure: {
    owner: 'lab',
    retries: 2,
    finding: false,
    tone: 'bad',
    help: 'The lab failed (network, power, disk, agent); nothing is known about the kernel.',
  },
  provisioning: {
    owner: 'submitter',
    retries: 0,
    finding: true,
    tone: 'bad',
    help: 'The kernel was installed but did not come up; read the serial stream of the boot stage.',
  },
  'kernel-crash': {
    owner: 'submitter',
    retries: 0,
    finding: true,
    tone: 'bad',
    help: 'The kernel crashed; the signature and the serial stream tell where.',
  },
  timeout: {
    owner: 'submitter',
    retries: 0,
    finding: true,
    tone: 'bad',
    help: 'A test or suite ran past its limit; the machine was reset.',
  },
  harness: {
    owner: 'peerlab',
    retries: 1,
    finding: false,
    tone: 'bad',
    help: 'The test program itself misbehaved (no plan, broken output).',
  },
  'agent-bug': {
    owner: 'peerlab',
    retries: 1,
    finding: false,
    tone: 'bad',
    help: 'The agent met a state it has no answer to; please report it with the agent stream.',
  },
  'controller-bug': {
    owner: 'peerlab',
    retries: 0,
    finding: false,
    tone: 'bad',
    help: 'The controller met a state it has no answer to; please report it with the correlation id.',
  },
  canceled: {
    owner: 'submitter',
    retries: 0,
    finding: false,
    tone: 'quiet',
    help: 'Canceled on request; the machine was restored.',
  },
  peer: {
    owner: 'lab',
    retries: 0,
    finding: false,
    tone: 'quiet',
    help: 'Another participant of the attempt failed, and this one was stopped; read the failure of that one.',
  },
};

/** What a stage shows: one that was stopped on request did not fail. */
export function stageOutcome<S extends string>(status: S, failure: { class: FailureClass } | null): S | 'stopped' {
  return status === 'failed' && failure !== null && FAILURE_POLICY[failure.class].tone === 'quiet' ? 'stopped' : status;
}
