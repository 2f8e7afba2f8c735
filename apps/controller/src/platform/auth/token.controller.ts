import { Controller } from '@nestjs/common';
import type { CreatedToken, TokenView } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { Input, Serve, type InputOf } from '../http/serve.js';
import { Caller } from './auth.guard.js';
import { TokenService, type Identity } from './token.service.js';

/** Tokens as the admin page manages them. The controller's log says who created or revoked one. */
@Controller()
export class TokenController {
  readonly #tokens: TokenService;

  constructor(tokens: TokenService) {
    this.#tokens = tokens;
  }

  @Serve('listTokens')
  listTokens(@Caller() { id }: Identity): Promise<TokenView[]> {
    return this.#tokens.list(id);
  }

  @Serve('createToken')
  async createToken(@Input() { body }: InputOf<'createToken'>, @Caller() { name }: Identity): Promise<CreatedToken> {
    const created = await this.#tokens.issue(body.kind, body.name, {
      site: body.site ?? null,
      only: body.only ?? null,
    });
    log.info({ by: name, token: created.token.id, kind: body.kind, for: body.name }, 'token-created');
    return created;
  }

  @Serve('revokeToken')
  async revokeToken(@Input() { params }: InputOf<'revokeToken'>, @Caller() { id, name }: Identity): Promise<TokenView> {
    const revoked = await this.#tokens.revoke(params.token, id);
    log.info({ by: name, token: revoked.id, kind: revoked.kind, for: revoked.name }, 'token-revoked');
    return revoked;
  }
}
