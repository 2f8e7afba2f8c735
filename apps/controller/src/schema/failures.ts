import type { Verdict } from '@peerlab/contracts';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A person's mark that a failure of a test is known. One that was withdrawn stays, so that who did so stays known. */
@Entity('known_failure')
@Index('known_failure_open', ['suite', 'test', 'failure'], { unique: true, where: 'ended_at is null' })
@Index('known_failure_newest', ['suite', 'test', 'failure', 'at'])
export class KnownFailureRow {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'known_failure_pkey' })
  id: string;
  @Column('text')
  suite: string;
  @Column('text')
  test: string;
  /** failure_key of the result that it was marked on. */
  @Column('text')
  failure: string;
  @Column('text')
  verdict: Verdict;
  @Column('text')
  reason: string;
  /** Names of users' tokens. */
  @Column('text')
  by: string;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  at: Date;
  @Column('timestamptz')
  until: Date;
  @Column('text', { nullable: true })
  endedBy: string | null;
  @Column('timestamptz', { nullable: true })
  endedAt: Date | null;
}
