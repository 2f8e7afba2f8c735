import type { Removal, RemovalKind, StorageLevel, StorageUse } from '@peerlab/contracts';
import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { NUMBER } from '../platform/database/bigint.js';
import { Run } from './runs.js';

/** A run of which nothing is removed. */
@Entity('run_pin')
export class RunPin {
  @ForeignKey(() => Run, { name: 'run_pin_run_fkey' })
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'run_pin_pkey' })
  runId: string;
  @Column('text')
  pinnedBy: string;
  @Column('text', { nullable: true })
  reason: string | null;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  pinnedAt: Date;
}

/** What was removed, when and why; written in the transaction that removed it. */
@Entity('retention_deletion')
@Index('retention_deletion_newest', ['removedAt'])
export class RetentionDeletion {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'retention_deletion_pkey' })
  id: string;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  removedAt: Date;
  @Column('text')
  kind: RemovalKind;
  /** Run id or digest; what it names may be gone. */
  @Column('text')
  subject: string;
  @Column('text')
  name: string;
  @Column('text')
  why: Removal['why'];
  @Column('bigint', { transformer: NUMBER })
  lines: number;
  @Column('bigint', { transformer: NUMBER })
  bytes: number;
}

/** How full it was when last measured: one row, which all controllers go by. */
@Entity('storage')
export class Storage {
  @PrimaryColumn('int', { primaryKeyConstraintName: 'storage_pkey' })
  id: number;
  @Column('text')
  level: StorageLevel;
  @Column('jsonb')
  use: StorageUse;
  @Column('timestamptz')
  measuredAt: Date;
}
