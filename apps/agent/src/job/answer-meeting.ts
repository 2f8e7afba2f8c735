import { cleanText, type KtapEvent, MEET_VALUE_MAX, MEETING_WAIT_MAX_SECONDS } from '@peerlab/contracts';
import type { AttemptContext } from './attempt-context.js';
import { MeetingMissed } from './meetings.js';

/** What is left of a test's time when its meeting is given up, so that the test can say why before it is a hang. */
const LEFT_FOR_TEST_SECONDS = 15;
const WAIT_LEAST_SECONDS = 5;

/**
 * The answer to a program that wants to meet its peers: `met VALUE` with what the other one said (of several others a JSON
 * object by role), or `error REASON`.
 * @param secondsLeft of the running test
 */
export async function answerMeeting(
  { assignment, meetings, signal }: Pick<AttemptContext, 'assignment' | 'meetings' | 'signal'>,
  suite: string,
  { test, step, value }: Extract<KtapEvent, { type: 'meet' }>,
  secondsLeft: number,
  over: AbortSignal,
): Promise<string> {
  if (meetings === null || assignment.peers.length === 0) return 'error there is no other side';
  const wanted = Math.floor(Math.max(WAIT_LEAST_SECONDS, secondsLeft - LEFT_FOR_TEST_SECONDS));
  const waitSeconds = Math.min(wanted, MEETING_WAIT_MAX_SECONDS);
  try {
    const place = { suite, test, step };
    const peers = await meetings.meet(place, value, { waitSeconds, signal: AbortSignal.any([signal, over]) });
    const [peer] = peers;
    if (peer !== undefined && peers.length === 1) return `met ${cleanText(peer.value, MEET_VALUE_MAX)}`;
    const said = peers.map((one) => [one.role, cleanText(one.value, MEET_VALUE_MAX)]);
    return `met ${JSON.stringify(Object.fromEntries(said))}`;
  } catch (error) {
    if (error instanceof MeetingMissed) return `error ${error.message}`;
    // The program has ended, or the attempt: nobody reads it.
    if (over.aborted || signal.aborted) return 'error the attempt has ended';
    throw error;
  }
}
