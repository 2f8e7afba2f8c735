import type { DeliveryOutcome } from '@peerlab/contracts';
import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { RunRow } from '../runs/entities.js';

/** A signed webhook delivery; the key makes replays visible. */
@Entity('webhook_delivery')
@Index('webhook_delivery_newest', ['receivedAt', 'source', 'deliveryId'])
@Index('webhook_delivery_idle', ['receivedAt'], { where: `outcome <> 'started'` })
export class WebhookDelivery {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'webhook_delivery_pkey' })
  source: 'generic' | 'github';
  @PrimaryColumn('text', { primaryKeyConstraintName: 'webhook_delivery_pkey' })
  deliveryId: string;
  @ForeignKey(() => RunRow, { name: 'webhook_delivery_run_fkey' })
  @Column('uuid', { nullable: true })
  runId: string | null;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  receivedAt: Date;
  @Column('text', { default: 'started' })
  outcome: DeliveryOutcome;
  /** What it was about, or why it started nothing. */
  @Column('text', { default: '' })
  detail: string;
}
