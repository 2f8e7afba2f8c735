import { z } from 'zod';
import { utcText } from './expected-start.js';
import { Fence, Name } from './ids.js';
import { MachineReason } from './machine-use.js';
import { Time } from './time.js';

/** How long a machine may be reserved, in seconds, counted from now: also when it is extended. */
export const RESERVATION_SECONDS_MIN = 60;
export const RESERVATION_SECONDS_MAX = 7 * 24 * 3600;

/**
 * waiting → held → returning → ended, and waiting → ended.
 * `waiting`: an attempt is still on the machine. `held`: it is its holder's. `returning`: its agent restores it.
 * Until it ended the machine is given to no job.
 */
export const ReservationState = z.enum(['waiting', 'held', 'returning', 'ended']);
export type ReservationState = z.infer<typeof ReservationState>;

const NEXT: Readonly<Record<ReservationState, readonly ReservationState[]>> = {
  waiting: ['held', 'ended'],
  held: ['returning'],
  returning: ['ended'],
  ended: [],
};

/** Whether the step is drawn above; staying in a state is always allowed. */
export const mayMoveReservation = (from: ReservationState, to: ReservationState): boolean =>
  from === to || NEXT[from].includes(to);

/** How it ended. `withdrawn`: before the machine was free. `not-restored`: the machine went into quarantine. */
export const ReservationOutcome = z.enum(['withdrawn', 'restored', 'not-restored']);
export type ReservationOutcome = z.infer<typeof ReservationOutcome>;

/** Longest account of a restore, in characters. */
export const RESTORE_DETAIL_MAX = 8000;

/** The right of one person to a machine. */
export const Reservation = z.object({
  id: z.uuid(),
  machine: Name,
  /** Name of the user's token. */
  holder: z.string(),
  reason: z.string(),
  state: ReservationState,
  /** For how long, counted from when it begins. */
  seconds: z.number().int().positive(),
  requestedAt: Time,
  /** The three are null before it began. `until` = when the machine goes back by itself. */
  begunAt: Time.nullable(),
  until: Time.nullable(),
  fence: Fence.nullable(),
  /** When it was given back, or its time was over; null before. */
  returnedAt: Time.nullable(),
  /** Name of the token that gave it back; null = its time was over. */
  returnedBy: z.string().nullable(),
  endedAt: Time.nullable(),
  outcome: ReservationOutcome.nullable(),
  /** What the agent says of the restore; null before. */
  detail: z.string().nullable(),
});
export type Reservation = z.infer<typeof Reservation>;

/** What is said of a reservation wherever its machine stands in a list. */
export type ReservedFor = Pick<Reservation, 'holder' | 'reason' | 'state' | 'until'>;

/** To be put behind "the machine is". */
export function reservedInWords({ holder, reason, state, until }: ReservedFor): string {
  switch (state) {
    case 'waiting':
      return `reserved by ${holder} as soon as it is free: ${reason}`;
    case 'held':
      return `reserved by ${holder} until ${until === null ? '?' : utcText(until)}: ${reason}`;
    case 'returning':
      return `being restored after ${holder} had it reserved: ${reason}`;
    case 'ended':
      return 'not reserved';
  }
}

/** Reservations in one answer: all that have not ended, then the newest of the others. */
export const RESERVATIONS_SHOWN = 200;
/** Ended reservations that are kept of a machine; the oldest are forgotten. */
export const RESERVATIONS_KEPT = 100;

/** What a person asks for. */
export const ReservationRequest = z.strictObject({
  /** The machine goes back by itself this long after now, or after it began. */
  seconds: z.number().int().min(RESERVATION_SECONDS_MIN).max(RESERVATION_SECONDS_MAX),
  reason: MachineReason,
});
export type ReservationRequest = z.infer<typeof ReservationRequest>;
