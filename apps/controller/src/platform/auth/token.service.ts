import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type { AgentWork, CreatedToken, TokenKind, TokenView } from '@peerlab/contracts';
import { In, IsNull, Repository } from 'typeorm';
import { notFound, ProblemError } from '../http/problem.js';
import { GuessLimit } from './guess-limit.js';
import { Token } from '../../schema/tokens.js';

export interface Identity {
  /** Of the token. */
  id: string;
  kind: TokenKind;
  name: string;
  limits: AgentLimits;
}

/** What the agent of a token is restricted to. */
export interface AgentLimits {
  /** The only site that it may speak for; null = any. */
  site: string | null;
  /** The only kind of work that it is given; null = what it says it can do. */
  only: AgentWork | null;
}

const NO_LIMITS: AgentLimits = { site: null, only: null };

/** Tokens that were right lately, by hash: wrong tokens from the same address do not keep them out. */
const KNOWN_MAX = 10_000;

/** How exactly the last use of a token is recorded. */
const USE_RECORDED_MS = 60_000;

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
  async create(kind: TokenKind, name: string, limits = NO_LIMITS): Promise<string> {
    return (await this.issue(kind, name, limits)).secret;
  }

  /** The same, with the token as the API shows it. */
  async issue(kind: TokenKind, name: string, { site, only }: AgentLimits): Promise<CreatedToken> {
    const secret = `plk_${kind}_${randomBytes(24).toString('base64url')}`;
    const id = randomUUID();
    await this.#tokens.insert({ id, kind, name, site, onlyWork: only, hash: digest(secret) });
    return { token: tokenView(await this.#tokens.findOneByOrFail({ id }), ''), secret };
  }

  /** All tokens, valid ones first, the newest first; `current` = the id of the caller's. */
  async list(current: string): Promise<TokenView[]> {
    const tokens = await this.#tokens.find({
      order: { revokedAt: { direction: 'DESC', nulls: 'FIRST' }, createdAt: 'DESC' },
    });
    return tokens.map((token) => tokenView(token, current));
  }

  /** Revokes a token; revoking it again changes nothing. Throws ProblemError 409 for the caller's own. */
  async revoke(id: string, current: string): Promise<TokenView> {
    if (id === current) {
      throw new ProblemError(409, 'own-token', 'a token cannot revoke itself', {
        detail: 'create another user token, sign in with it, and revoke this one then',
      });
    }
    await this.#tokens.update({ id, revokedAt: IsNull() }, { revokedAt: () => 'clock_timestamp()' });
    const token = await this.#tokens.findOneBy({ id });
    if (token === null) throw notFound('token', id);
    return tokenView(token, current);
  }

  /** Those of the ids whose token is revoked, or gone. */
  async revokedAmong(ids: readonly string[]): Promise<Set<string>> {
    const valid = await this.#tokens.find({ select: { id: true }, where: { id: In([...ids]), revokedAt: IsNull() } });
    const known = new Set(valid.map(({ id }) => id));
    return new Set(ids.filter((id) => !known.has(id)));
  }

  /**
   * Whose token the Authorization header has, or null. With the sender's `address` wrong tokens are
   * counted: throws ProblemError 429, without a look-up, when there were too many.
   */
  async identify(header: string | undefined, address?: string): Promise<Identity | null> {
    const secret = bearerOf(header);
    if (secret === null) return null;
    const hash = digest(secret);
    if (address !== undefined && !this.#known.has(hash)) {
      const seconds = await this.#guesses.refusedForSeconds(address);
      if (seconds > 0) throw tooManyGuesses(seconds);
    }
    const token = await this.#tokens.findOneBy({ hash, revokedAt: IsNull() });
    if (token === null || !timingSafeEqual(Buffer.from(token.hash), Buffer.from(hash))) {
      this.#known.delete(hash);
      if (address !== undefined) await this.#guesses.noteWrong(address);
      return null;
    }
    this.#remember(hash);
    await this.#noteUse(token);
    return identityOf(token);
  }

  /** The owner of a valid token by its id, or null. */
  async identityOf(id: string): Promise<Identity | null> {
    const token = await this.#tokens.findOneBy({ id, revokedAt: IsNull() });
    return token === null ? null : identityOf(token);
  }

  /**
   * Name under which the work of a caller is counted, without a look-up: its token when that was right lately,
   * else its address: a made-up token gives no further share.
   */
  callerOf(header: string | undefined, address: string): string {
    const secret = bearerOf(header);
    const hash = secret === null ? null : digest(secret);
    return hash !== null && this.#known.has(hash) ? `token ${hash}` : `address ${address}`;
  }

  /** Once a minute at most, so that not every request of a busy agent is a write. */
  async #noteUse({ id, lastUsedAt }: Token): Promise<void> {
    if (lastUsedAt !== null && Date.now() - lastUsedAt.getTime() < USE_RECORDED_MS) return;
    await this.#tokens.update({ id }, { lastUsedAt: () => 'clock_timestamp()' });
  }

  #remember(hash: string): void {
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.add(hash);
  }
}

const identityOf = ({ id, kind, name, site, onlyWork }: Token): Identity => ({
  id,
  kind,
  name,
  limits: { site, only: onlyWork },
});

function tokenView(
  { id, kind, name, site, onlyWork, createdAt, revokedAt, lastUsedAt }: Token,
  current: string,
): TokenView {
  return {
    id,
    kind,
    name,
    site,
    only: onlyWork,
    createdAt: createdAt.toISOString(),
    revokedAt: revokedAt?.toISOString() ?? null,
    lastUsedAt: lastUsedAt?.toISOString() ?? null,
    current: id === current,
  };
}

const tooManyGuesses = (seconds: number): ProblemError =>
  new ProblemError(429, 'too-many-guesses', 'too many wrong tokens came from this address', {
    detail: `correct the token and try again in ${seconds} s`,
    retryAfterSeconds: seconds,
  });
