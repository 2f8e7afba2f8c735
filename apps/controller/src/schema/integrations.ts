import type { DeliveryOutcome } from '@peerlab/contracts';
import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { Run } from './runs.js';

/** A signed webhook delivery; its id and the digest of what was signed show a replay. */
@Entity('webhook_delivery')
@Index('webhook_delivery_newest', ['receivedAt', 'source', 'deliveryId'])
@Index('webhook_delivery_digest', ['source', 'digest'])
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
}
