import { z } from 'zod';
import { NewTicket, Ticket } from '../schema/tickets.js';
import { CreatedToken, NewToken, TokenView } from '../schema/tokens.js';
import type { Route } from './route.js';

/** Routes of API tokens and download tickets. */
export const TOKEN_ROUTES = {
  /** A ticket for one download of a file (getRawLog, getSeries, getBuildFile). */
  createTicket: {
    method: 'POST',
    path: '/api/v1/tickets',
    access: 'user',
    body: NewTicket,
    response: Ticket,
  },
  listTokens: { method: 'GET', path: '/api/v1/tokens', access: 'user', response: z.array(TokenView) },
  createToken: { method: 'POST', path: '/api/v1/tokens', access: 'user', body: NewToken, response: CreatedToken },
  /** For good; 409 for the token that asks. */
  revokeToken: {
    method: 'POST',
    path: '/api/v1/tokens/:token/revoke',
    access: 'user',
    params: z.object({ token: z.uuid() }),
    response: TokenView,
  },
} as const satisfies Record<string, Route>;
