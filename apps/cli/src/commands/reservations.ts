import type { HttpClient } from '@peerlab/client';
import {
  RESERVATION_SECONDS_MAX,
  RESERVATION_SECONDS_MIN,
  reservedInWords,
  utcText,
  type Reservation,
} from '@peerlab/contracts';
import type { Answer } from '../command.js';
import { UsageError } from '../exit-codes.js';
import { table } from '../render/text.js';

const UNIT_SECONDS: Readonly<Record<string, number>> = { m: 60, h: 3600, d: 86_400 };

/** Seconds of `90m`, `2h` or `3d`. Throws a UsageError for other words, and for times that the farm does not give. */
export function parseDuration(word: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,5})([mhd])$/.exec(word) ?? [];
  const seconds = Number(digits) * (UNIT_SECONDS[unit] ?? 0);
  if (seconds < RESERVATION_SECONDS_MIN || seconds > RESERVATION_SECONDS_MAX) {
    throw new UsageError(`"${word}" is not how long a machine may be reserved: 1m to 7d, for instance 90m, 2h or 3d`);
  }
  return seconds;
}

/** Reserves a machine, or counts the time of one's own reservation from now. Returns a sentence about when it begins and ends. */
export async function reserveMachine(
  api: HttpClient,
  machine: string,
  { for: time, reason }: { for: string; reason: string },
): Promise<Answer> {
  const seconds = parseDuration(time);
  const reservation = await api.call('reserveMachine', { params: { machine }, body: { seconds, reason } });
  const text =
    reservation.state === 'held' && reservation.until !== null
      ? `${machine} is yours until ${utcText(reservation.until)}; give it back with "peerlab return ${machine}"`
      : `${machine} is yours for ${time} as soon as what runs on it has ended; no job begins on it before`;
  return { data: reservation, text };
}

/** Gives a machine back, whoever reserved it. Returns a sentence about what happens to it. */
export async function returnMachine(api: HttpClient, machine: string, reason: string | undefined): Promise<Answer> {
  const [open] = await api.call('listReservations', { query: { machine } });
  if (open === undefined || open.state === 'ended') return { data: null, text: `${machine} is not reserved` };
  const body = reason === undefined ? {} : { reason };
  const reservation = await api.call('returnMachine', { params: { reservation: open.id }, body });
  return { data: reservation, text: `${machine} ${afterwards(reservation)}` };
}

function afterwards({ state, outcome }: Reservation): string {
  if (state === 'returning') return 'is given back; it takes jobs when its agent has restored it';
  return outcome === 'not-restored' ? 'was given back and is quarantined' : 'is given back and takes jobs';
}

/** Who has which machine until when and why, and how the newest reservations ended. */
export async function listReservations(api: HttpClient, machine: string | undefined): Promise<Answer> {
  const reservations = await api.call('listReservations', { query: machine === undefined ? {} : { machine } });
  if (reservations.length === 0) return { data: reservations, text: 'no machine is reserved' };
  const rows = reservations.map((each) => [
    each.machine,
    each.state,
    each.holder,
    each.begunAt === null ? '' : utcText(each.begunAt),
    each.until === null ? '' : utcText(each.endedAt ?? each.until),
    each.state === 'ended' ? `${each.outcome ?? ''}: ${each.reason}` : reservedInWords(each),
  ]);
  return { data: reservations, text: table([['MACHINE', 'STATE', 'HOLDER', 'FROM', 'UNTIL', 'WHY'], ...rows]) };
}
