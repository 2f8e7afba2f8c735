import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { IsNull, Repository } from 'typeorm';
import { Token, type TokenKind } from './token.entity.js';

export interface Identity {
  kind: TokenKind;
  name: string;
}

const digest = (secret: string): string => createHash('sha256').update(secret).digest('hex');

/** `Bearer …` of an Authorization header, or null. */
export function bearerOf(header: string | undefined): string | null {
  return /^Bearer ([\x21-\x7e]{1,200})$/i.exec(header ?? '')?.[1] ?? null;
}

@Injectable()
export class TokenService {
  readonly #tokens: Repository<Token>;

  constructor(@InjectRepository(Token) tokens: Repository<Token>) {
    this.#tokens = tokens;
  }

  /** Makes a token `plk_KIND_RANDOM` and stores its hash; the text exists only in the answer. */
  async create(kind: TokenKind, name: string): Promise<string> {
    const secret = `plk_${kind}_${randomBytes(24).toString('base64url')}`;
    await this.#tokens.insert({ id: randomUUID(), kind, name, hash: digest(secret) });
    return secret;
  }

  /** Who the Authorization header stands for, or null. */
  async identify(header: string | undefined): Promise<Identity | null> {
    const secret = bearerOf(header);
    if (secret === null) return null;
    const hash = digest(secret);
    const token = await this.#tokens.findOneBy({ hash, revokedAt: IsNull() });
    if (token === null || !timingSafeEqual(Buffer.from(token.hash), Buffer.from(hash))) return null;
    return { kind: token.kind, name: token.name };
  }
}
