import type { AnyStage, AttemptState, BootTrouble, FailureClass, PathPrediction } from '@peerlab/contracts';
import { Column, Entity, ForeignKey, Index, PrimaryColumn, Unique } from 'typeorm';
import { NUMBER } from '../platform/database/bigint.js';
import { Agent, Machine } from './fleet.js';
import { Job } from './runs.js';

/** Failure as stored; its help text is looked up when shown. */
export interface StoredFailure {
  class: FailureClass;
  stage: AnyStage | null;
  message: string;
  signature: string | null;
  /** Of a boot that failed by the machine's own fault; absent in those of earlier releases. */
  trouble?: BootTrouble | undefined;
  /** Of an attempt with several participants: whose failure it is. */
  role?: string;
}

/** How far a build was at a time of its agent's clock, in milliseconds. */
export interface ProgressPoint {
  percent: number;
  atMs: number;
}

/** The last progress report of a build, as it is stored with its attempt. */
export interface BuildProgress extends ProgressPoint {
  text: string;
  /** The report at which the compiler began: from here on percent grow with the work. */
  from: ProgressPoint;
  /** When it was stored, by the controller's clock. */
  storedAtMs: number;
  /** Its bundle was there already; absent in reports before the end, and of earlier releases. */
  cached?: boolean;
}

/** Reports of earlier releases have no times. */
export type StoredProgress = Pick<BuildProgress, 'percent' | 'text'> & Partial<BuildProgress>;

@Entity('attempt')
@Unique('attempt_job_number', ['jobId', 'number'])
// Of an expression, which entities cannot say: only the migration makes it.
@Index('attempt_failure', { synchronize: false })
export class Attempt {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'attempt_pkey' })
  id: string;
  @ForeignKey(() => Job, { name: 'attempt_job_fkey' })
  @Column('uuid')
  jobId: string;
  @Column('int')
  number: number;
  @Column('text')
  state: AttemptState;
  /** Summed up over its participants. */
  @Column('jsonb', { nullable: true })
  failure: StoredFailure | null;
  @Column('jsonb', { nullable: true })
  progress: StoredProgress | null;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  startedAt: Date;
  @Column('timestamptz', { nullable: true })
  endedAt: Date | null;
}

/**
 * One machine (or build slot) in an attempt: its agent, its lease, its evidence. The first one has the id of its
 * attempt, so that links and agents from before there were several name the same thing.
 */
@Entity('participant')
@Unique('participant_attempt_role', ['attemptId', 'role'])
@Index('participant_open', ['agent'], { where: `state <> 'ended'` })
@Index('participant_machine', ['machine', 'startedAt'])
export class Participant {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'participant_pkey' })
  id: string;
  @ForeignKey(() => Attempt, { name: 'participant_attempt_fkey' })
  @Column('uuid')
  attemptId: string;
  @Column('text')
  role: string;
  /** In the order of the job's roles, from 0. */
  @Column('int')
  position: number;
  @Column('text')
  state: AttemptState;
  @ForeignKey(() => Agent, { name: 'participant_agent_fkey' })
  @Column('text')
  agent: string;
  @ForeignKey(() => Machine, { name: 'participant_machine_fkey' })
  @Column('text', { nullable: true })
  machine: string | null;
  @Column('bigint', { transformer: NUMBER })
  fence: number;
  @Column('text')
  nonce: string;
  @Column('jsonb', { nullable: true })
  failure: StoredFailure | null;
  @Column('boolean', { nullable: true })
  restored: boolean | null;
  /** What its results are judged by, where the source of its kernel has another rule; null = the path of the combination. */
  @Column('jsonb', { nullable: true })
  prediction: PathPrediction | null;
  /** How its agent's clock stands to the database's, in milliseconds; null = it was not measured. */
  @Column('float8', { nullable: true })
  clockOffsetMs: number | null;
  @Column('float8', { nullable: true })
  clockErrorMs: number | null;
  /** Ended by the controller: what the agent still sends of it is evidence and decides nothing. */
  @Column('timestamptz', { nullable: true })
  revokedAt: Date | null;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  startedAt: Date;
  @Column('timestamptz', { nullable: true })
  endedAt: Date | null;
}

/** The right to touch a machine (or a build slot) until `expiresAt`. The unique indexes are the guarantee. */
@Entity('lease')
@Index('lease_machine_active', ['machine'], { unique: true, where: 'released_at is null' })
@Index('lease_slot_active', ['agent', 'slot'], { unique: true, where: 'released_at is null and machine is null' })
@Index('lease_test_slot_active', ['agent', 'slot'], {
  unique: true,
  where: 'released_at is null and machine is not null',
})
@Index('lease_participant', ['participantId'])
@Index('lease_machine_released', ['machine', 'releasedAt'])
export class Lease {
  @PrimaryColumn('bigint', { primaryKeyConstraintName: 'lease_pkey', transformer: NUMBER })
  fence: number;
  @ForeignKey(() => Participant, { name: 'lease_participant_fkey' })
  @Column('uuid')
  participantId: string;
  @ForeignKey(() => Agent, { name: 'lease_agent_fkey' })
  @Column('text')
  agent: string;
  @ForeignKey(() => Machine, { name: 'lease_machine_fkey' })
  @Column('text', { nullable: true })
  machine: string | null;
  /** Which of the agent's concurrent builds or tests; null where there is no limit. */
  @Column('int', { nullable: true })
  slot: number | null;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  acquiredAt: Date;
  @Column('timestamptz')
  expiresAt: Date;
  @Column('timestamptz', { nullable: true })
  releasedAt: Date | null;
}

/** A controller on this database; it shows itself with every tick. */
@Entity('controller')
export class ControllerRow {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'controller_pkey' })
  id: string;
  @Column('timestamptz')
  startedAt: Date;
  @Column('timestamptz')
  seenAt: Date;
}
