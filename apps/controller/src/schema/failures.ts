import type { Verdict } from '@peerlab/contracts';
import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';

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

/** The failures of a suite that people accepted for all kernels of one base. One that was withdrawn or replaced stays. */
@Entity('baseline')
@Index('baseline_open', ['suite', 'base'], { unique: true, where: 'ended_at is null' })
export class BaselineRow {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'baseline_pkey' })
  id: string;
  @Column('text')
  suite: string;
  /** Digest of the source of the base. */
  @Column('text')
  base: string;
  @Column('text')
  baseVersion: string;
  /** Where the failures were seen; no foreign key: retention removes attempts. */
  @Column('uuid')
  attemptId: string;
  @Column('text')
  reason: string;
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

@Entity('baseline_failure')
@Index('baseline_failure_key', ['failure'])
export class BaselineFailureRow {
  @ForeignKey(() => BaselineRow, { name: 'baseline_failure_baseline_fkey' })
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'baseline_failure_pkey' })
  baselineId: string;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'baseline_failure_pkey' })
  test: string;
  /** failure_key of the result. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'baseline_failure_pkey' })
  failure: string;
}
