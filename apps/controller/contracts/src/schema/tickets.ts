import { z } from 'zod';

/** How long after it was made a ticket begins a download, in seconds. */
export const TICKET_SECONDS = 30;

/**
 * Asks for one download without the token in a header, which a browser cannot send when it saves a file by itself. The path
 * is that of the file's route with its query.
 */
export const NewTicket = z.strictObject({ path: z.string().startsWith('/api/v1/').max(2000) });
export type NewTicket = z.infer<typeof NewTicket>;

/** To be added to the query of the path as `ticket`; good for one request within TICKET_SECONDS. */
export const Ticket = z.object({ ticket: z.string() });
export type Ticket = z.infer<typeof Ticket>;
