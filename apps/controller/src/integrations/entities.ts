import { Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';
import { RunRow } from '../runs/entities.js';

/** A webhook delivery that was acted upon; the key makes replays visible. */
@Entity('webhook_delivery')
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
}
