import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { IsNull, Repository } from 'typeorm';
import { ProblemError } from '../http/problem.js';
import { GuessLimit } from './guess-limit.js';
import { Token, type TokenKind } from './token.entity.js';

export interface Identity {
  kind: TokenKind;
  name: string;
}

/** Tokens that were right lately, by hash: their address may have a bad neighbour. */
const KNOWN_MAX = 10_000;

const digest = (secret: string): string => createHash('sha256').update(secret).digest('hex');

/** `Bearer …` of an Authorization header, or null. */
export function bearerOf(header: string | undefined): string | null {
  return /^Bearer ([\x21-\x7e]{1,200})$/i.exec(header ?? '')?.[1] ?? null;
}

@Injectable()
export class TokenService {
  readonly #tokens: Repository<Token>;
  readonly #guesses = new GuessLimit();
  readonly #known = new Set<string>();

  constructor(@InjectRepository(Token) tokens: Repository<Token>) {
    this.#tokens = tokens;
  }

  /** Makes a token `plk_KIND_RANDOM` and stores its hash; the text exists only in the answer. */
  async create(kind: TokenKind, name: string): Promise<string> {
    const secret = `plk_${kind}_${randomBytes(24).toString('base64url')}`;
    await this.#tokens.insert({ id: randomUUID(), kind, name, hash: digest(secret) });
    return secret;
  }

  /**
   * Who the Authorization header stands for, or null. With the sender's `address` wrong tokens are
   * counted: throws ProblemError 429, without a look-up, when there were too many.
   */
  async identify(header: string | undefined, address?: string): Promise<Identity | null> {
    const secret = bearerOf(header);
    if (secret === null) return null;
    const hash = digest(secret);
    if (address !== undefined && !this.#known.has(hash) && !this.#guesses.allows(address)) throw tooManyGuesses();
    const token = await this.#tokens.findOneBy({ hash, revokedAt: IsNull() });
    if (token === null || !timingSafeEqual(Buffer.from(token.hash), Buffer.from(hash))) {
      this.#known.delete(hash);
      if (address !== undefined) this.#guesses.noteWrong(address);
      return null;
    }
    this.#remember(hash);
    return { kind: token.kind, name: token.name };
  }

  #remember(hash: string): void {
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.add(hash);
  }
}

const tooManyGuesses = (): ProblemError =>
  new ProblemError(429, 'too-many-guesses', 'too many wrong tokens came from this address', {
    detail: 'wait a minute, and correct the token',
  });
