import {
  createParamDecorator,
  Inject,
  Injectable,
  type CanActivate,
  type ExecutionContext,
  type RawBodyRequest,
} from '@nestjs/common';
import type { Route } from '@peerlab/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SETTINGS_TOKEN, type Settings } from '../config.js';
import { CallerLimit } from '../http/caller-limit.js';
import { ProblemError } from '../http/problem.js';
import { servedRoute } from '../http/serve.js';
import { TokenService, type Identity } from './token.service.js';

const callers = new WeakMap<FastifyRequest, Identity>();

/**
 * What a caller without a token may send to be read and checked, in bytes. A run without patches has a few
 * kilobytes; those who send series as text have a token.
 */
export const ANONYMOUS_BODY_MAX_BYTES = 256 * 1024;

/**
 * Lets through who may call a route by its declared `access`; a route without one is refused. Signatures are
 * checked by the hook itself.
 */
@Injectable()
export class AuthGuard implements CanActivate {
  readonly #tokens: TokenService;
  readonly #limit: CallerLimit;
  readonly #publicReads: boolean;

  constructor(tokens: TokenService, limit: CallerLimit, @Inject(SETTINGS_TOKEN) settings: Settings) {
    this.#tokens = tokens;
    this.#limit = limit;
    this.#publicReads = settings.publicReads;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const route = servedRoute(context);
    if (route === null) throw new ProblemError(403, 'undeclared', 'the route does not declare who may call it');
    const http = context.switchToHttp();
    const request = http.getRequest<RawBodyRequest<FastifyRequest>>();
    const identity = this.#isOpen(route, request) ? null : await this.#identify(route, request);
    if (identity !== null) callers.set(request, identity);
    if (route.isHeavy === true) {
      const caller = identity?.id ?? this.#tokens.callerOf(request.headers.authorization, request.ip);
      const { raw } = http.getResponse<FastifyReply>();
      const end = this.#limit.begin(caller);
      raw.once('close', end);
      // It may have gone while its token was looked up.
      if (raw.closed) end();
    }
    return true;
  }

  /** Whether the route may be called without a token. */
  #isOpen(route: Route, { rawBody }: RawBodyRequest<FastifyRequest>): boolean {
    if (route.access === 'read') return this.#publicReads && (rawBody?.length ?? 0) <= ANONYMOUS_BODY_MAX_BYTES;
    return route.access === 'public' || route.access === 'signature';
  }

  async #identify(route: Route, request: FastifyRequest): Promise<Identity> {
    const identity = await this.#tokens.identify(request.headers.authorization, request.ip);
    if (identity === null) {
      throw new ProblemError(401, 'unauthorized', 'this needs a token', {
        detail: 'send "Authorization: Bearer plk_…"; the controller\'s "token create" makes one',
      });
    }
    // A user may do all that an agent may, not the reverse.
    if (route.access !== 'agent' && identity.kind !== 'user') {
      throw new ProblemError(403, 'forbidden', 'this needs a user token; an agent token was sent');
    }
    return identity;
  }
}

/** Parameter decorator: who calls, as the guard found out. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Identity => {
  const identity = callers.get(context.switchToHttp().getRequest<FastifyRequest>());
  if (identity === undefined) throw new Error('a route without a token asks who calls');
  return identity;
});
