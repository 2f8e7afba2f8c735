import type { z } from 'zod';
import type { Access } from '../schema/access.js';

/** What a route takes and answers. */
export interface Route {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH';
  /** With `:name` placeholders, as Fastify and the clients both understand. */
  path: string;
  access: Access;
  /** It may keep the controller and the database busy: each caller gets a share of their time. */
  isHeavy?: true;
  /** A ticket in the query is as good as the user token that it was made with (createTicket). */
  takesTicket?: true;
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodType;
  /** Absent: the answer is not JSON. */
  response?: z.ZodType;
}
