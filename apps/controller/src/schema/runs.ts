import type { JobState, Labels, PeerPath, RunPurpose, RunSpec, RunState, Verdict } from '@peerlab/contracts';
import { Column, Entity, ForeignKey, Index, PrimaryColumn, Unique } from 'typeorm';
import { CombinationRow, Machine } from './fleet.js';
import { Build } from './builds.js';

@Entity('run')
@Index('run_created', ['createdAt'])
@Index('run_verdict', ['verdict', 'createdAt'], { where: `state = 'ended'` })
@Index('run_open', ['createdAt'], { where: `state <> 'ended'` })
@Index('run_submitted_by', ['submittedBy', 'createdAt'])
@Index('run_retry_of', ['retryOf'], { where: 'retry_of is not null' })
export class Run {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'run_pkey' })
  id: string;
  @Column('text')
  name: string;
  @Column('jsonb')
  spec: RunSpec;
  @Column('text', { nullable: true })
  yaml: string | null;
  @Column('text', { default: 'test' })
  purpose: RunPurpose;
  @Column('text')
  state: RunState;
  @Column('int')
  priority: number;
  @Column('text')
  triggerKind: 'user' | 'webhook' | 'farm';
  @Column('text')
  triggerDetail: string;
  /** Id of the user's token that submitted it; null for webhooks, and for runs that repeat one of those. */
  @Column('uuid', { nullable: true })
  submitter: string | null;
  /** Name of the user or webhook that submitted it; empty where that was not recorded. */
  @Column('text', { default: '' })
  submittedBy: string;
  /** The job that it repeats, which retention may have removed; null = it was submitted by itself. */
  @Column('uuid', { nullable: true })
  retryOf: string | null;
  @Column('boolean', { default: false })
  cancelRequested: boolean;
  /** Roll-ups, kept in the transactions that change what they sum up. */
  @Column('text', { nullable: true })
  verdict: Verdict | null;
  @Column('jsonb', { default: {} })
  counts: Partial<Record<Verdict, number>>;
  @Column('int')
  jobsTotal: number;
  @Column('int', { default: 0 })
  jobsEnded: number;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  createdAt: Date;
  @Column('timestamptz', { nullable: true })
  startedAt: Date | null;
  @Column('timestamptz', { nullable: true })
  endedAt: Date | null;
}

/**
 * A build, or a test: of one build on one peer path of one machine, or of several roles, each with its build and machine. The
 * columns of a job with several roles are those of the first one, except for the combination, which is that of all.
 */
@Entity('job')
@Index('job_run', ['runId'])
@Index('job_build', ['buildId', 'combination'])
@Index('job_queued', ['kind', 'combination', 'queuedAt'], { where: `state = 'queued'` })
@Index('job_line', ['queueAt', 'queuedAt', 'position', 'id'], { where: `state = 'queued'` })
@Index('job_newest', ['combination', 'buildName', 'endedAt'], {
  where: `state = 'ended' and kind = 'test' and verdict <> 'canceled'`,
})
@Index('job_newest_machine', ['combination', 'buildName', 'machine', 'endedAt'], {
  where: `state = 'ended' and kind = 'test' and verdict <> 'canceled'`,
})
@Index('job_ended', ['endedAt'], { where: `state = 'ended' and kind = 'test' and verdict <> 'canceled'` })
@Index('job_combination', ['combination'])
@Index('job_machine', ['machine', 'runId'])
@Index('job_turn', ['runId', 'lane', 'position'], { where: `round is not null and state <> 'ended'` })
@Index('job_open', ['combination', 'buildName'], { where: `state <> 'ended' and kind = 'test'` })
export class Job {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'job_pkey' })
  id: string;
  @ForeignKey(() => Run, { name: 'job_run_fkey' })
  @Column('uuid')
  runId: string;
  @ForeignKey(() => Build, { name: 'job_build_fkey' })
  @Column('uuid')
  buildId: string;
  /** Repeated from the build, for the index. */
  @Column('text', { default: '' })
  buildName: string;
  @Column('int')
  position: number;
  @Column('text')
  kind: 'build' | 'test';
  /** Repeated from the run: what grids and histories count are tests of kernels. */
  @Column('text', { default: 'test' })
  purpose: RunPurpose;
  @Column('text')
  state: JobState;
  /** That runs it or ran it last; before that the one that it is for, null where any of its combination may take it. */
  @ForeignKey(() => Machine, { name: 'job_machine_fkey' })
  @Column('text', { nullable: true })
  machine: string | null;
  /** No other machine may take it; null = any that has the combination and the labels. */
  @ForeignKey(() => Machine, { name: 'job_only_machine_fkey' })
  @Column('text', { nullable: true })
  onlyMachine: string | null;
  /** Labels that a machine must have to take it, as the run asks for them. */
  @Column('jsonb', { default: {} })
  labels: Labels;
  @ForeignKey(() => CombinationRow, { name: 'job_combination_fkey' })
  @Column('text', { nullable: true })
  combination: string | null;
  /** Which of a machine's pairs of the combination it tests, from 0. */
  @Column('int', { default: 0 })
  pair: number;
  /** It has suites of the run itself, which older agents cannot run. */
  @Column('boolean', { default: false })
  ownSuites: boolean;
  /** Of the machine that runs it or ran it last; before that as expected. */
  @Column('jsonb', { nullable: true })
  path: PeerPath | null;
  /** What it runs; null for builds and for jobs from before this was recorded: all suites of the run. */
  @Column('text', { array: true, nullable: true })
  suites: string[] | null;
  /** Which boot it is of a run with `repeat`, from 1; null without. */
  @Column('int', { nullable: true })
  round: number | null;
  /** Boots of one lane of a run with `repeat` take turns on one machine: the one that takes the first of them. */
  @Column('int', { nullable: true })
  lane: number | null;
  @Column('text', { nullable: true })
  verdict: Verdict | null;
  /** Why it ended without an attempt. */
  @Column('text', { nullable: true })
  note: string | null;
  /** How many roles it has; those of more than one are rows of `job_role`. The view `job_part` has the roles of all jobs. */
  @Column('int', { default: 1 })
  roles: number;
  /** Labels that the machines of its roles must have with one value. */
  @Column('text', { array: true, default: [] })
  sameLabels: string[];
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  queuedAt: Date;
  /** When it would have begun to wait, had its run no priority: what the queue is in the order of. */
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  queueAt: Date;
  /** Pause before a further attempt. */
  @Column('timestamptz', { nullable: true })
  notBefore: Date | null;
  @Column('timestamptz', { nullable: true })
  endedAt: Date | null;
}

/** One machine of a job with several: what it asks for, and, as in `job`, what it has. */
@Entity('job_role')
@Unique('job_role_name', ['jobId', 'role'])
@Index('job_role_build', ['buildId'])
@Index('job_role_machine', ['machine'])
@Index('job_role_combination', ['combination'])
export class JobRole {
  @ForeignKey(() => Job, { name: 'job_role_job_fkey' })
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'job_role_pkey' })
  jobId: string;
  /** In the order of the run's roles, from 0. */
  @PrimaryColumn('int', { primaryKeyConstraintName: 'job_role_pkey' })
  position: number;
  @Column('text')
  role: string;
  @ForeignKey(() => Build, { name: 'job_role_build_fkey' })
  @Column('uuid')
  buildId: string;
  @Column('text')
  buildName: string;
  @ForeignKey(() => CombinationRow, { name: 'job_role_combination_fkey' })
  @Column('text')
  combination: string;
  @Column('int', { default: 0 })
  pair: number;
  @ForeignKey(() => Machine, { name: 'job_role_only_machine_fkey' })
  @Column('text', { nullable: true })
  onlyMachine: string | null;
  @Column('jsonb', { default: {} })
  labels: Labels;
  @Column('boolean', { default: false })
  ownSuites: boolean;
  @ForeignKey(() => Machine, { name: 'job_role_machine_fkey' })
  @Column('text', { nullable: true })
  machine: string | null;
  @Column('jsonb')
  path: PeerPath;
  @Column('text', { array: true })
  suites: string[];
}
