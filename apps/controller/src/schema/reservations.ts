import type { ReservationOutcome, ReservationState } from '@peerlab/contracts';
import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { NUMBER } from '../platform/database/bigint.js';
import { Machine } from './fleet.js';

/** The right of one person to a machine, from the request to the restore. `machine.reserved` names the open one. */
@Entity('reservation')
@Index('reservation_open', ['machine'], { unique: true, where: 'ended_at is null' })
@Index('reservation_machine', ['machine', 'requestedAt'])
export class ReservationRow {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'reservation_pkey' })
  id: string;
  @ForeignKey(() => Machine, { name: 'reservation_machine_fkey' })
  @Column('text')
  machine: string;
  /** Name of a user's token. */
  @Column('text')
  holder: string;
  @Column('text')
  reason: string;
  @Column('int')
  seconds: number;
  @Column('text')
  state: ReservationState;
  /** Drawn when it begins, of the same numbers as those of leases. */
  @Column('bigint', { nullable: true, transformer: NUMBER })
  fence: number | null;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  requestedAt: Date;
  @Column('timestamptz', { nullable: true })
  begunAt: Date | null;
  @Column('timestamptz', { nullable: true })
  until: Date | null;
  @Column('timestamptz', { nullable: true })
  returnedAt: Date | null;
  /** Name of a user's token; null = its time was over. */
  @Column('text', { nullable: true })
  returnedBy: string | null;
  @Column('timestamptz', { nullable: true })
  endedAt: Date | null;
  @Column('text', { nullable: true })
  outcome: ReservationOutcome | null;
  @Column('text', { nullable: true })
  detail: string | null;
}
