import { Column, Entity, PrimaryColumn } from 'typeorm';
import { NUMBER } from '../platform/database/bigint.js';

/**
 * That something under a live topic changed, written by the transaction that changed it. A browser that
 * comes back is told what its last snapshot did not see. Kept for an hour.
 */
@Entity('change')
export class Change {
  /** Full id of the transaction, with its epoch: Postgres' xid8. */
  @PrimaryColumn('bigint', { primaryKeyConstraintName: 'change_pkey', transformer: NUMBER })
  xact: number;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'change_pkey' })
  topic: string;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  at: Date;
}
