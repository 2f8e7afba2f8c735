import type { HealthCheckKind, HealthOutcome } from '@peerlab/contracts';
import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { Machine } from './fleet.js';

/** A health check of a machine: a run with a known-good kernel, and what it said of the machine. */
@Entity('health_check')
@Index('health_check_open', ['machine'], { unique: true, where: 'ended_at is null' })
@Index('health_check_run', ['runId'], { where: 'run_id is not null' })
export class HealthCheckRow {
  @ForeignKey(() => Machine, { name: 'health_check_machine_fkey' })
  @PrimaryColumn('text', { primaryKeyConstraintName: 'health_check_pkey' })
  machine: string;
  /** From 1. */
  @PrimaryColumn('int', { primaryKeyConstraintName: 'health_check_pkey' })
  number: number;
  @Column('text')
  kind: HealthCheckKind;
  @Column('text')
  reason: string;
  /** Name of a user's token; null = the farm itself. */
  @Column('text', { nullable: true })
  by: string | null;
  @Column('int')
  boots: number;
  /** Null when it could not be planned, and when retention has removed the run. */
  @Column('uuid', { nullable: true })
  runId: string | null;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  requestedAt: Date;
  @Column('timestamptz', { nullable: true })
  endedAt: Date | null;
  @Column('text', { nullable: true })
  outcome: HealthOutcome | null;
  @Column('text', { nullable: true })
  detail: string | null;
}

/** An attempt on a machine that turned out sick later. */
@Entity('suspect_attempt')
@Index('suspect_attempt_machine', ['machine'])
@Index('suspect_attempt_requeue', ['at'], { where: 'requeue' })
export class SuspectAttemptRow {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'suspect_attempt_pkey' })
  attemptId: string;
  @ForeignKey(() => Machine, { name: 'suspect_attempt_machine_fkey' })
  @PrimaryColumn('text', { primaryKeyConstraintName: 'suspect_attempt_pkey' })
  machine: string;
  /** Number of the check that failed. */
  @Column('int')
  checkNumber: number;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  at: Date;
  /** When the machine passed last before the attempt; null = never. */
  @Column('timestamptz', { nullable: true })
  goodAt: Date | null;
  /** Its job is still to be submitted again. */
  @Column('boolean', { default: false })
  requeue: boolean;
  /** The run that does its job again. */
  @Column('uuid', { nullable: true })
  requeuedRun: string | null;
}
