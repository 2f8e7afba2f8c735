import type { TerminalKind } from '@peerlab/contracts';
import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { NUMBER } from '../platform/database/bigint.js';
import { Machine } from './fleet.js';
import { ReservationRow } from './reservations.js';

/** A person's connection to a machine, while it is open and afterwards: who, when, and how much it printed. */
@Entity('terminal')
@Index('terminal_machine', ['machine', 'openedAt'])
@Index('terminal_open', ['machine'], { where: 'closed_at is null' })
export class TerminalRow {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'terminal_pkey' })
  id: string;
  @ForeignKey(() => Machine, { name: 'terminal_machine_fkey' })
  @Column('text')
  machine: string;
  /** Of a shell. */
  @ForeignKey(() => ReservationRow, { name: 'terminal_reservation_fkey', onDelete: 'SET NULL' })
  @Column('uuid', { nullable: true })
  reservationId: string | null;
  @Column('text')
  kind: TerminalKind;
  /** Name of a user's token. */
  @Column('text')
  by: string;
  @Column('int')
  columns: number;
  @Column('int')
  rows: number;
  /** Connection of the agent that has it; null until it was given to the agent. */
  @Column('uuid', { nullable: true })
  connection: string | null;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  openedAt: Date;
  /** When the controller that the person is connected to last said that the person is there. */
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  seenAt: Date;
  @Column('timestamptz', { nullable: true })
  closedAt: Date | null;
  @Column('text', { nullable: true })
  why: string | null;
  /** Number of the next piece of output. */
  @Column('int', { default: 0 })
  next: number;
  @Column('int', { default: 0 })
  keptBytes: number;
  @Column('bigint', { default: 0, transformer: NUMBER })
  removedBytes: number;
}

/** A piece of what a terminal printed. What was typed is not kept: it may be a password. */
@Entity('terminal_output')
export class TerminalOutput {
  @ForeignKey(() => TerminalRow, { name: 'terminal_output_terminal_fkey', onDelete: 'CASCADE' })
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'terminal_output_pkey' })
  terminalId: string;
  @PrimaryColumn('int', { primaryKeyConstraintName: 'terminal_output_pkey' })
  number: number;
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  at: Date;
  @Column('bytea')
  data: Buffer;
}
