import type { DeliveryOutcome } from '@peerlab/contracts';
import { Column, Entity, ForeignKey, Index, PrimaryColumn, Unique } from 'typeorm';
import { Run } from './runs.js';

/** What a delivery asked for, so that it can be acted upon later or again. */
export interface StoredOrder {
  template: string;
  /** Which of the template's builds takes the commit; null = the only one with a git source. */
  build: string | null;
  commit: string | null;
  /** The commit's repository at the forge; null for a generic hook. */
  repository: string | null;
  number: number | null;
}

/** A signed webhook delivery; its id and the digest of what was signed show a replay. */
@Entity('webhook_delivery')
@Index('webhook_delivery_newest', ['receivedAt', 'source', 'deliveryId'])
@Index('webhook_delivery_digest', ['source', 'digest'])
@Index('webhook_delivery_request', ['source', 'repository', 'number'], { where: 'number is not null' })
@Index('webhook_delivery_idle', ['receivedAt'], { where: `outcome <> 'started'` })
export class WebhookDelivery {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'webhook_delivery_pkey' })
  source: string;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'webhook_delivery_pkey' })
  deliveryId: string;
  @ForeignKey(() => Run, { name: 'webhook_delivery_run_fkey' })
  @Column('uuid', { nullable: true })
  runId: string | null;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  receivedAt: Date;
  @Column('text', { default: 'started' })
  outcome: DeliveryOutcome;
  /** SHA-256 of the bytes that its signature covers; null where that was not recorded. */
  @Column('text', { nullable: true })
  digest: string | null;
  /** What it was about, or why it started nothing. */
  @Column('text', { default: '' })
  detail: string;
  /** The repository and commit that it is about, as the forge names them; null where it is about none. */
  @Column('text', { nullable: true })
  repository: string | null;
  @Column('text', { nullable: true })
  commit: string | null;
  /** Of the pull or merge request. */
  @Column('int', { nullable: true })
  number: number | null;
  @Column('text', { nullable: true })
  fork: string | null;
  /** Null where it asked for nothing, or for something that is not kept. */
  @Column('jsonb', { nullable: true })
  asked: StoredOrder | null;
}

/** Why a commit has no run. */
export interface ReportNotice {
  kind: 'held' | 'refused';
  text: string;
}

/** What the forge made of a report: ids of the things that are updated in place. */
export interface RemoteIds {
  check?: string;
  note?: string;
  /** The result whose annotations the check has. */
  annotated?: string;
}

/**
 * What a forge is to be told of a commit under one name, and what it was told: the outbox of statuses. It is written in
 * the transaction that stores the run; the run's own row says what is to be told.
 */
@Entity('forge_report')
@Unique('forge_report_commit', ['source', 'repository', 'commit', 'context'])
@Index('forge_report_due', ['dueAt'], { where: 'not closed' })
@Index('forge_report_run', ['runId'], { where: 'run_id is not null' })
@Index('forge_report_newest', ['createdAt'])
export class ForgeReport {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'forge_report_pkey' })
  id: string;
  /** Name of the hook whose settings say where it goes. */
  @Column('text')
  source: string;
  @Column('text')
  repository: string;
  @Column('text')
  commit: string;
  /** The name under which the forge shows it. */
  @Column('text')
  context: string;
  @Column('int', { nullable: true })
  number: number | null;
  @ForeignKey(() => Run, { name: 'forge_report_run_fkey' })
  @Column('uuid', { nullable: true })
  runId: string | null;
  @Column('jsonb', { nullable: true })
  notice: ReportNotice | null;
  /** Grows with every run or notice, and when a sender that lost its claim may have told something old: it is told then. */
  @Column('int', { default: 1 })
  revision: number;
  /** What the forge was told last; null = nothing. */
  @Column('text', { nullable: true })
  said: string | null;
  @Column('timestamptz', { nullable: true })
  saidAt: Date | null;
  @Column('jsonb', { default: {} })
  remote: RemoteIds;
  /** Fence: grows with every claim, and only the newest claim may write what it did. */
  @Column('int', { default: 0 })
  claim: number;
  @Column('timestamptz', { nullable: true })
  claimedUntil: Date | null;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  dueAt: Date;
  /** Tries since it last arrived. */
  @Column('int', { default: 0 })
  tries: number;
  @Column('text', { nullable: true })
  error: string | null;
  /** Nothing more is to be told, or it was given up. */
  @Column('boolean', { default: false })
  closed: boolean;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  createdAt: Date;
}
