import { Controller } from '@nestjs/common';
import type { CreatedToken, TokenView } from '@peerlab/contracts';
import { Input, Serve, type InputOf } from '../http/serve.js';
import { writeLog } from '../logging.js';
import { Caller } from './auth.guard.js';
import { TokenService, type Identity } from './token.service.js';

/** Tokens as the admin page manages them. Who made or ended one stands in the controller's log. */
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
    writeLog('info', 'a token was created', { by: name, token: created.token.id, kind: body.kind, for: body.name });
    return created;
  }

  @Serve('revokeToken')
  async revokeToken(@Input() { params }: InputOf<'revokeToken'>, @Caller() { id, name }: Identity): Promise<TokenView> {
    const revoked = await this.#tokens.revoke(params.token, id);
    writeLog('info', 'a token was revoked', { by: name, token: revoked.id, kind: revoked.kind, for: revoked.name });
    return revoked;
  }
}
