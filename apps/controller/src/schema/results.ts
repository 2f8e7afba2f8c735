import { SOLE_ROLE } from '@peerlab/contracts';
import type { AnyStage, KernelSighting, LogStream, Proof, ResultStatus, StageView, Verdict } from '@peerlab/contracts';
import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { NUMBER } from '../platform/database/bigint.js';
import { Attempt, Participant } from './attempts.js';

@Entity('attempt_stage')
export class AttemptStage {
  @ForeignKey(() => Participant, { name: 'attempt_stage_participant_fkey' })
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'attempt_stage_pkey' })
  participantId: string;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'attempt_stage_pkey' })
  stage: AnyStage;
  @Column('text')
  status: StageView['status'];
  @Column('timestamptz')
  startedAt: Date;
  @Column('timestamptz', { nullable: true })
  endedAt: Date | null;
  @Column('text', { nullable: true })
  detail: string | null;
}

@Entity('attempt_kernel')
export class AttemptKernel {
  @ForeignKey(() => Participant, { name: 'attempt_kernel_participant_fkey' })
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'attempt_kernel_pkey' })
  participantId: string;
  /** Sequence of the event that reported it. */
  @PrimaryColumn('int', { primaryKeyConstraintName: 'attempt_kernel_pkey' })
  seq: number;
  @Column('jsonb')
  sighting: KernelSighting;
}

/** A test that a suite announced. One without a result at the attempt's end was not reached. */
@Entity('planned_test')
export class PlannedTest {
  @ForeignKey(() => Attempt, { name: 'planned_test_attempt_fkey' })
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'planned_test_pkey' })
  attemptId: string;
  /** Of the participant that reported it. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'planned_test_pkey', default: SOLE_ROLE })
  role: string;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'planned_test_pkey' })
  suite: string;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'planned_test_pkey' })
  test: string;
  @Column('int')
  position: number;
}

@Entity('result')
// Of an expression and a part of the rows, which entities cannot say: only the migration makes it.
@Index('result_failure', { synchronize: false })
@Index('result_history', ['suite', 'test', 'storedAt', 'attemptId'])
export class Result {
  @ForeignKey(() => Attempt, { name: 'result_attempt_fkey' })
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'result_pkey' })
  attemptId: string;
  /** Of the participant that reported it. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'result_pkey', default: SOLE_ROLE })
  role: string;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'result_pkey' })
  suite: string;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'result_pkey' })
  test: string;
  @Column('int')
  position: number;
  @Column('text')
  status: ResultStatus;
  @Column('text')
  verdict: Verdict;
  @Column('text', { nullable: true })
  reason: string | null;
  @Column('double precision', { nullable: true })
  durationMs: number | null;
  @Column('jsonb', { nullable: true })
  proof: Proof | null;
  @Column('text', { array: true })
  warnings: string[];
  @Column('text', { nullable: true })
  signature: string | null;
  @Column('jsonb', { nullable: true })
  log: { stream: LogStream; fromSeq: number; toSeq: number; role?: string } | null;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  storedAt: Date;
}

/** Tests of a suite in their order, as many attempts have them. */
@Entity('test_plan')
export class TestPlan {
  /** Of suite, tests and positions. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'test_plan_pkey' })
  hash: string;
  @Column('text')
  suite: string;
  @Column('text', { array: true })
  tests: string[];
  @Column('int', { array: true })
  positions: number[];
}

/** The results of an ended attempt, packed for the grid; made from `result`, and deleted when that changes. */
@Entity('attempt_verdicts')
export class AttemptVerdicts {
  @ForeignKey(() => Attempt, { name: 'attempt_verdicts_attempt_fkey' })
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'attempt_verdicts_pkey' })
  attemptId: string;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'attempt_verdicts_pkey' })
  suite: string;
  @ForeignKey(() => TestPlan, { name: 'attempt_verdicts_plan_fkey' })
  @Column('text')
  plan: string;
  /** One letter of VERDICT_TABLE for each test of the plan. */
  @Column('text')
  verdicts: string;
  /** By the place of the test. */
  @Column('jsonb')
  reasons: Record<string, string>;
  @Column('timestamptz')
  newest: Date;
}

/** The queue of ended attempts whose results are to be packed, again or for the first time. */
@Entity('unpacked_attempt')
export class UnpackedAttempt {
  @ForeignKey(() => Attempt, { name: 'unpacked_attempt_attempt_fkey' })
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'unpacked_attempt_pkey' })
  attemptId: string;
}

@Entity('measurement')
@Index('measurement_trend', ['suite', 'name', 'storedAt', 'attemptId'])
export class Measurement {
  @ForeignKey(() => Attempt, { name: 'measurement_attempt_fkey' })
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'measurement_pkey' })
  attemptId: string;
  /** Of the participant that reported it. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'measurement_pkey', default: SOLE_ROLE })
  role: string;
  /** Sequence of the event that reported it. */
  @PrimaryColumn('int', { primaryKeyConstraintName: 'measurement_pkey' })
  seq: number;
  @Column('text')
  suite: string;
  @Column('text')
  test: string;
  @Column('text')
  name: string;
  @Column('text')
  unit: string;
  @Column('text')
  better: 'lower' | 'higher';
  @Column('double precision', { array: true })
  samples: number[];
  @Column('jsonb')
  params: Record<string, string | number | boolean>;
  @Column('double precision')
  lowerQuartile: number;
  @Column('double precision')
  median: number;
  @Column('double precision')
  upperQuartile: number;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  storedAt: Date;
}

/** A file that a suite of an attempt left; its content is the artifact of that digest. */
@Entity('attempt_file')
@Index('attempt_file_content', ['sha256'])
export class AttemptFile {
  @ForeignKey(() => Attempt, { name: 'attempt_file_attempt_fkey' })
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'attempt_file_pkey' })
  attemptId: string;
  /** Of the participant that reported it. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'attempt_file_pkey', default: SOLE_ROLE })
  role: string;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'attempt_file_pkey' })
  suite: string;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'attempt_file_pkey' })
  name: string;
  @Column('text')
  sha256: string;
  @Column('bigint', { transformer: NUMBER })
  sizeBytes: number;
}
