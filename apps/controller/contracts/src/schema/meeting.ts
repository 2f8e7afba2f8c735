import { z } from 'zod';
import { SuiteName } from './ids.js';
import { Role, ROLES_MAX } from './participants.js';

/** Longest value that a participant tells its peers, in characters: addresses, GIDs and ports of a machine fit. */
export const MEETING_VALUE_MAX = 4096;
/** Longest time that one participant waits for the others, in seconds. */
export const MEETING_WAIT_MAX_SECONDS = 3600;
export const MEETING_TESTS_MAX = 999_999;
export const MEETING_STEPS_MAX = 9999;
/** Longest reason why participants did not meet, in characters: a suite reads it as one line. */
export const MEETING_REASON_MAX = 200;

/** Where participants of an attempt meet. Within a suite places are passed in order, tests first, then steps. */
export const MeetingPlace = z.object({
  suite: SuiteName,
  test: z.number().int().nonnegative().max(MEETING_TESTS_MAX),
  step: z.number().int().nonnegative().max(MEETING_STEPS_MAX),
});
export type MeetingPlace = z.infer<typeof MeetingPlace>;

export const MeetingValue = z.string().max(MEETING_VALUE_MAX);

/** A participant that waits for its peers. */
export const MeetingArrival = z.object({
  place: MeetingPlace,
  /** What it tells the others. */
  value: MeetingValue,
  /** How long it waits, from when the controller hears of it. */
  waitSeconds: z.number().int().positive().max(MEETING_WAIT_MAX_SECONDS),
});
export type MeetingArrival = z.infer<typeof MeetingArrival>;

/** How waiting at a place ended. */
export const MeetingOutcome = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('met'),
    /** What each of the others said, in the order of their roles. */
    peers: z.array(z.object({ role: Role, value: MeetingValue })).max(ROLES_MAX),
  }),
  z.object({
    kind: z.literal('missed'),
    /** One of the others has `ended`, is `late`, or has `passed` this place without meeting. */
    why: z.enum(['ended', 'late', 'passed']),
    reason: z.string().max(MEETING_REASON_MAX),
  }),
]);
export type MeetingOutcome = z.infer<typeof MeetingOutcome>;
export type Missed = Extract<MeetingOutcome, { kind: 'missed' }>;
