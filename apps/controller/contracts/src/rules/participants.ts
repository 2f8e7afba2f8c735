import type { FailureClass } from '../schema/failure.js';
import type { AttemptState } from '../schema/states.js';

/** The failures that say most come first: the text of a crash, then what was lost, then how a program ended. */
const MOST_TELLING: readonly FailureClass[] = [
  'kernel-crash',
  'provisioning',
  'canceled',
  'infrastructure',
  'agent-bug',
  'controller-bug',
  'timeout',
  'harness',
  'build',
  'request',
  'peer',
];

interface Ended<F> {
  role: string;
  failure: F | null;
}

/**
 * The failure of an attempt, from those of its participants in their order; null when all of them succeeded. With
 * several participants it names whose failure it is.
 */
export function sumUpFailure<F extends { class: FailureClass }>(
  participants: readonly Ended<F>[],
): (F & { role?: string }) | null {
  const failed = participants.flatMap(({ role, failure }) => (failure === null ? [] : [{ role, failure }]));
  const [worst] = failed.toSorted((a, b) => rankOf(a.failure) - rankOf(b.failure));
  if (worst === undefined) return null;
  return participants.length === 1 ? worst.failure : { ...worst.failure, role: worst.role };
}

const rankOf = (failure: { class: FailureClass }): number => MOST_TELLING.indexOf(failure.class);

/**
 * The state of an attempt from those of its participants: it runs as soon as an agent has accepted its part, because
 * from then on there is evidence, and it ends with the last of them.
 */
export function attemptStateOf(participants: readonly AttemptState[]): AttemptState {
  if (participants.every((state) => state === 'ended')) return 'ended';
  return participants.every((state) => state === 'assigned') ? 'assigned' : 'running';
}
