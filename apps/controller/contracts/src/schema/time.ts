import { z } from 'zod';

/** A time in answers of the HTTP API: ISO 8601 in UTC, from the database's clock. */
export const Time = z.iso.datetime();
