import { createParamDecorator, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ProblemError } from '../http/problem.js';
import { servedRoute } from '../http/serve.js';
import { TokenService, type Identity } from './token.service.js';

const callers = new WeakMap<FastifyRequest, Identity>();

/** Checks the token that a route's `access` asks for. Signatures are checked by the hook itself. */
@Injectable()
export class AuthGuard implements CanActivate {
  readonly #tokens: TokenService;

  constructor(tokens: TokenService) {
    this.#tokens = tokens;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const access = servedRoute(context)?.access ?? 'public';
    if (access === 'public' || access === 'signature') return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const identity = await this.#tokens.identify(request.headers.authorization, request.ip);
    if (identity === null) {
      throw new ProblemError(401, 'unauthorized', 'this needs a token', {
        detail: 'send "Authorization: Bearer plk_…"; the controller\'s "token create" makes one',
      });
    }
    // A user may do all that an agent may, not the reverse.
    if (access === 'user' && identity.kind !== 'user') {
      throw new ProblemError(403, 'forbidden', 'this needs a user token; an agent token was sent');
    }
    callers.set(request, identity);
    return true;
  }
}

/** Parameter decorator: who calls, as the guard found out. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Identity => {
  const identity = callers.get(context.switchToHttp().getRequest<FastifyRequest>());
  if (identity === undefined) throw new Error('a route without a token asks who calls');
  return identity;
});
