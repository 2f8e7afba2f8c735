import {
  createParamDecorator,
  Inject,
  Injectable,
  type CanActivate,
  type ExecutionContext,
  type RawBodyRequest,
} from '@nestjs/common';
import type { Access, Route, TokenKind } from '@peerlab/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SETTINGS_TOKEN, type Settings } from '../config.js';
import { CallerLimit } from '../http/caller-limit.js';
import { ProblemError } from '../http/problem.js';
import { servedRoute } from '../http/serve.js';
import { TicketService } from './ticket.service.js';
import { TokenService, type Identity } from './token.service.js';

const callers = new WeakMap<FastifyRequest, Identity>();

/**
 * Largest body of a caller without a token, in bytes. A run without patches has a few kilobytes; callers that send
 * series as text have a token.
 */
export const ANONYMOUS_BODY_MAX_BYTES = 256 * 1024;

/** Which kinds of token may call a route; null = it needs none. Absent = it is refused. */
const TOKENS_OF: ReadonlyMap<Access, readonly TokenKind[] | null> = new Map([
  ['public', null],
  // The route checks the signature itself.
  ['signature', null],
  ['read', ['user']],
  ['user', ['user']],
  // A user may do all that an agent may, not the reverse.
  ['agent', ['user', 'agent']],
]);

/** Lets a caller through by the declared access of the route. A handler without one that is known is refused. */
@Injectable()
export class AuthGuard implements CanActivate {
  readonly #tokens: TokenService;
  readonly #limit: CallerLimit;
  readonly #tickets: TicketService;
  readonly #publicReads: boolean;

  constructor(
    tokens: TokenService,
    limit: CallerLimit,
    @Inject(SETTINGS_TOKEN) settings: Settings,
    tickets: TicketService,
  ) {
    this.#tickets = tickets;
    this.#tokens = tokens;
    this.#limit = limit;
    this.#publicReads = settings.publicReads;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const route = servedRoute(context);
    const kinds = route === null ? undefined : TOKENS_OF.get(route.access);
    if (route === null || kinds === undefined) {
      throw new ProblemError(403, 'undeclared', 'the route does not declare who may call it');
    }
    const http = context.switchToHttp();
    const request = http.getRequest<RawBodyRequest<FastifyRequest>>();
    const isOpen = kinds === null || this.#isOpenRead(route, request);
    const identity = isOpen ? null : ((await this.#byTicket(route, request)) ?? (await this.#identify(kinds, request)));
    if (identity !== null) callers.set(request, identity);
    if (route.isHeavy === true) {
      const caller = identity?.id ?? this.#tokens.callerOf(request.headers.authorization, request.ip);
      const { raw } = http.getResponse<FastifyReply>();
      const end = this.#limit.begin(caller);
      raw.once('close', end);
      // The caller may have gone while its token was looked up.
      if (raw.closed) end();
    }
    return true;
  }

  /** Whether it is a read that needs no token here. */
  #isOpenRead({ access }: Route, { rawBody }: RawBodyRequest<FastifyRequest>): boolean {
    return access === 'read' && this.#publicReads && (rawBody?.length ?? 0) <= ANONYMOUS_BODY_MAX_BYTES;
  }

  /** Whose ticket the query has, on routes of files; null without one. */
  async #byTicket({ takesTicket }: Route, { query, url, headers }: FastifyRequest): Promise<Identity | null> {
    const ticket = (query as Record<string, unknown> | null)?.['ticket'];
    if (takesTicket !== true || typeof ticket !== 'string' || headers.authorization !== undefined) return null;
    const token = await this.#tickets.redeem(ticket, withoutTicket(url));
    return token === null ? null : this.#tokens.identityOf(token);
  }

  async #identify(kinds: readonly TokenKind[], request: FastifyRequest): Promise<Identity> {
    const identity = await this.#tokens.identify(request.headers.authorization, request.ip);
    if (identity === null) {
      throw new ProblemError(401, 'unauthorized', 'this needs a token', {
        detail: 'send "Authorization: Bearer plk_…"; the controller\'s "token create" makes one',
      });
    }
    if (!kinds.includes(identity.kind)) {
      throw new ProblemError(403, 'forbidden', 'this needs a user token; an agent token was sent');
    }
    return identity;
  }
}

/** The path that a ticket is for: it stands last in the query. */
const withoutTicket = (url: string): string => url.replace(/[?&]ticket=[\w-]*$/, '');

/** Name of the token that a request came with; null when it needed none or had no valid one. */
export function callerName(request: FastifyRequest): string | null {
  return callers.get(request)?.name ?? null;
}

/** Parameter decorator for routes that need no token: who calls, or null. */
export const MaybeCaller = createParamDecorator(
  (_: unknown, context: ExecutionContext): Identity | null =>
    callers.get(context.switchToHttp().getRequest<FastifyRequest>()) ?? null,
);

/** Parameter decorator: who calls, as the guard found out. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Identity => {
  const identity = callers.get(context.switchToHttp().getRequest<FastifyRequest>());
  if (identity === undefined) throw new Error('a route that needs no token asks who calls');
  return identity;
});
