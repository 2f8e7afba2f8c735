import { z } from 'zod';
import { Name } from '../schema/ids.js';
import { MachineReason } from '../schema/machine-use.js';
import { Reservation, ReservationRequest, RESERVATIONS_SHOWN } from '../schema/reservations.js';
import { TerminalRecord, TERMINALS_KEPT } from '../schema/terminals.js';
import type { Route } from './route.js';

/** Routes of machines that a person has for a while. */
export const RESERVATION_ROUTES = {
  /** Those that have not ended first, then the newest others. */
  listReservations: {
    method: 'GET',
    path: '/api/v1/reservations',
    access: 'read',
    query: z.object({ machine: Name.optional() }),
    response: z.array(Reservation).max(RESERVATIONS_SHOWN),
  },
  /**
   * Reserves a machine for the caller; asked again by its holder, it counts its time from now. 409 while somebody else has
   * it, and while it is being restored.
   */
  reserveMachine: {
    method: 'PUT',
    path: '/api/v1/machines/:machine/reservation',
    access: 'user',
    params: z.object({ machine: Name }),
    body: ReservationRequest,
    response: Reservation,
  },
  /** Gives the machine back before its time; asked again, nothing changes. Who is not the holder says why. */
  returnMachine: {
    method: 'POST',
    path: '/api/v1/reservations/:reservation/return',
    access: 'user',
    params: z.object({ reservation: z.uuid() }),
    body: z.strictObject({ reason: MachineReason.optional() }),
    response: Reservation,
  },
  /** Who had a terminal of a machine, newest first. */
  listTerminals: {
    method: 'GET',
    path: '/api/v1/machines/:machine/terminals',
    access: 'user',
    params: z.object({ machine: Name }),
    response: z.array(TerminalRecord).max(2 * TERMINALS_KEPT),
  },
  /** What is kept of what a terminal printed, byte for byte. */
  getTerminalOutput: {
    method: 'GET',
    path: '/api/v1/terminals/:terminal/output',
    access: 'user',
    params: z.object({ terminal: z.uuid() }),
  },
} as const satisfies Record<string, Route>;
