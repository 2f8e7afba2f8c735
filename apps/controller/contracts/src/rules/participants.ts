import type { FailureClass } from '../schema/failure.js';
import type { AttemptState } from '../schema/states.js';
import { cutText } from '../schema/text.js';

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

/** Longest message, in characters. */
const MESSAGE_MAX = 4000;

interface Ended<F> {
  role: string;
  failure: F | null;
}

/**
 * The failure of an attempt, from those of its participants in their order; null when all of them succeeded. With
 * several participants it names whose failure it is, and who failed in the same way.
 */
export function sumUpFailure<F extends { class: FailureClass; message: string }>(
  participants: readonly Ended<F>[],
): (F & { role?: string }) | null {
  const failed = participants.flatMap(({ role, failure }) => (failure === null ? [] : [{ role, failure }]));
  const [worst] = failed.toSorted((a, b) => rankOf(a.failure) - rankOf(b.failure));
  if (worst === undefined) return null;
  if (participants.length === 1) return worst.failure;
  const others = failed.filter(({ role, failure }) => role !== worst.role && failure.class === worst.failure.class);
  const too = others.map(({ role, failure }) => `; participant ${role}, too: ${failure.message}`).join('');
  return { ...worst.failure, role: worst.role, message: cutText(worst.failure.message + too, MESSAGE_MAX) };
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
