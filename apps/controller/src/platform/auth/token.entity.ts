import { Column, Entity, PrimaryColumn, Unique } from 'typeorm';

export type TokenKind = 'user' | 'agent';

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
  @Column('text')
  hash: string;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  createdAt: Date;
  @Column('timestamptz', { nullable: true })
  revokedAt: Date | null;
}
