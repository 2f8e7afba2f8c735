import { KNOWN_DAYS_MAX } from '@peerlab/contracts';
import { ProblemError } from '../platform/http/problem.js';

const DAY_MS = 86_400_000;

/** When a mark ends; throws a 422 problem for an end in the past or more than KNOWN_DAYS_MAX days ahead. */
export function endOfMark(until: string): Date {
  const end = Date.parse(until);
  if (end > Date.now() && end <= Date.now() + KNOWN_DAYS_MAX * DAY_MS) return new Date(end);
  const message = `it has to end in the future, within ${KNOWN_DAYS_MAX} days`;
  throw new ProblemError(422, 'invalid-until', 'the end of the mark is not valid', {
    detail: `until: ${message}`,
    errors: [{ path: 'until', message }],
  });
}
