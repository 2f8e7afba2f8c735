import type { AgentWork, TokenKind } from '@peerlab/contracts';
import { Column, Entity, ForeignKey, PrimaryColumn, Unique } from 'typeorm';

/** One download that a user token allowed; only the SHA-256 of the ticket is kept. */
@Entity('download_ticket')
export class DownloadTicket {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'download_ticket_pkey' })
  hash: string;
  /** What it is good for, with the query. */
  @Column('text')
  path: string;
  @ForeignKey(() => Token, { name: 'download_ticket_token_fkey' })
  @Column('uuid')
  token: string;
  @Column('timestamptz')
  expiresAt: Date;
}

/** A bearer token; only its SHA-256 is kept. */
@Entity('token')
@Unique('token_hash', ['hash'])
export class Token {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'token_pkey' })
  id: string;
  @Column('text')
  kind: TokenKind;
  @Column('text')
  name: string;
  /** The only site that the agent of this token may speak for; null = the one that it names first. */
  @Column('text', { nullable: true })
  site: string | null;
  /** The only kind of work that the agent of this token is given; null = what it says it can do. */
  @Column('text', { nullable: true })
  onlyWork: AgentWork | null;
  @Column('text')
  hash: string;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  createdAt: Date;
  @Column('timestamptz', { nullable: true })
  revokedAt: Date | null;
  /** To the minute. */
  @Column('timestamptz', { nullable: true })
  lastUsedAt: Date | null;
}
