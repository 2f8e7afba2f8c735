import { MEETING_REASON_MAX, type MeetingOutcome, type MeetingPlace, type Missed } from '../schema/meeting.js';
import { cleanText } from '../schema/text.js';

/** A participant, as far as its peers wait for it. */
export interface Attendance {
  role: string;
  /** Why it comes to no place any more; null while it may. */
  over: string | null;
  /** Suites that it is through with. */
  left: readonly string[];
  /** Where it waits or last waited. */
  at: {
    place: MeetingPlace;
    value: string;
    /** How long it waits, in seconds, and whether that time is over. */
    waitSeconds: number;
    late: boolean;
    /** null while it waits. */
    outcome: MeetingOutcome | null;
  } | null;
}

/** Order of two places of one suite: negative when `a` is passed before `b`. */
export const comparePlaces = (a: MeetingPlace, b: MeetingPlace): number => a.test - b.test || a.step - b.step;

export const samePlace = (a: MeetingPlace, b: MeetingPlace): boolean =>
  a.suite === b.suite && comparePlaces(a, b) === 0;

export const missed = (why: Missed['why'], reason: string): Missed => ({
  kind: 'missed',
  why,
  reason: cleanText(reason, MEETING_REASON_MAX),
});

/**
 * Decides for those that wait: they have met when all are at one place, and miss each other as soon as one of the
 * others cannot come there any more. Returns the new outcomes by role; who is not named goes on waiting.
 *
 * What one has missed its peers miss too, so that all of them are told the same of one place.
 */
export function settleMeetings(all: readonly Attendance[]): Map<string, MeetingOutcome> {
  const settled = new Map<string, MeetingOutcome>();
  // Each round settles at least one; what it missed may be what another one waits for.
  for (let changed = true; changed; ) {
    changed = false;
    for (const who of waiting(all, settled)) {
      const outcome = outcomeOf(who, all, settled);
      if (outcome === null) continue;
      changed = true;
      if (outcome.kind === 'missed') settled.set(who.role, outcome);
      else for (const each of all) settled.set(each.role, metBy(each, all));
    }
  }
  return settled;
}

const waiting = (all: readonly Attendance[], settled: ReadonlyMap<string, MeetingOutcome>): Attendance[] =>
  all.filter(({ role, at }) => at !== null && at.outcome === null && !settled.has(role));

function outcomeOf(
  who: Attendance,
  all: readonly Attendance[],
  settled: ReadonlyMap<string, MeetingOutcome>,
): MeetingOutcome | null {
  const { at } = who;
  // Decided for it in this round already.
  if (at === null || settled.has(who.role)) return null;
  const peers = all.filter((other) => other !== who);
  const absent = peers.filter((peer) => peer.at === null || !samePlace(peer.at.place, at.place));
  for (const peer of peers) {
    const why = whyNever(peer, at.place, settled.get(peer.role) ?? peer.at?.outcome ?? null);
    if (why !== null) return missed(why.why, `participant ${peer.role} ${why.reason}`);
  }
  if (absent.length === 0) return metBy(who, all);
  const names = absent.map(({ role }) => role).join(' and ');
  return at.late ? missed('late', `participant ${names} did not come within ${at.waitSeconds} s`) : null;
}

/** Why a peer will not meet anybody at a place; null while it may. */
function whyNever(
  peer: Attendance,
  place: MeetingPlace,
  outcome: MeetingOutcome | null,
): Pick<Missed, 'why' | 'reason'> | null {
  if (peer.at !== null && samePlace(peer.at.place, place)) {
    if (outcome?.kind === 'missed') return { why: outcome.why, reason: `gave up waiting here: ${outcome.reason}` };
    return outcome === null ? null : passed('has gone on from this place');
  }
  if (peer.over !== null) return { why: 'ended', reason: peer.over };
  if (peer.left.includes(place.suite)) return passed(`is through with ${place.suite}`);
  if (peer.at?.place.suite === place.suite && comparePlaces(peer.at.place, place) > 0)
    return passed('is beyond this place');
  return null;
}

const passed = (reason: string): Pick<Missed, 'why' | 'reason'> => ({ why: 'passed', reason });

const metBy = (who: Attendance, all: readonly Attendance[]): MeetingOutcome => ({
  kind: 'met',
  peers: all.filter((other) => other !== who).map(({ role, at }) => ({ role, value: at?.value ?? '' })),
});

/**
 * The answer to a new arrival that the participant's own way rules out; null when it may wait there.
 * @param last where it waited before
 */
export function refusedArrival(
  place: MeetingPlace,
  last: MeetingPlace | null,
  left: readonly string[],
): MeetingOutcome | null {
  if (left.includes(place.suite)) return missed('passed', `this side is through with ${place.suite}`);
  const back = last?.suite === place.suite && comparePlaces(place, last) < 0;
  return back
    ? missed('passed', 'this side was beyond this place already: its test was interrupted and begun again')
    : null;
}
