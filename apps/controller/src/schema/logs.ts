import type { LogGap, LogStream, SpoolStream } from '@peerlab/contracts';
import { Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';
import { NUMBER } from '../platform/database/bigint.js';
import type { z } from 'zod';
import { Participant } from './attempts.js';

export type StreamName = z.infer<typeof SpoolStream>;

/** Counter of one stream of a participant: everything below `next` is stored. */
@Entity('stream')
export class Stream {
  @ForeignKey(() => Participant, { name: 'stream_participant_fkey' })
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'stream_pkey' })
  participantId: string;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'stream_pkey' })
  stream: StreamName;
  @Column('bigint', { default: 0, transformer: NUMBER })
  next: number;
  /** Lines the agent says it produced; null while it runs. */
  @Column('bigint', { nullable: true, transformer: NUMBER })
  expected: number | null;
  /** What its stored lines weigh, see lineBytes. */
  @Column('bigint', { default: 0, transformer: NUMBER })
  bytes: number;
  /** When retention removed its lines. */
  @Column('timestamptz', { nullable: true })
  removedAt: Date | null;
}

/** No foreign key: it would be checked for every line, and the counter's row has one. */
@Entity('log_line')
export class LogLineRow {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'log_line_pkey' })
  participantId: string;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'log_line_pkey' })
  stream: LogStream;
  @PrimaryColumn('bigint', { primaryKeyConstraintName: 'log_line_pkey', transformer: NUMBER })
  seq: number;
  /** The machine's or agent's clock, milliseconds since 1970. */
  @Column('bigint', { transformer: NUMBER })
  at: number;
  @Column('text')
  text: string;
  /** The text goes on where the line before it ends. */
  @Column('boolean', { nullable: true })
  continues: true | null;
  /** Lines that are missing here; the text says so too. */
  @Column('jsonb', { nullable: true })
  gap: LogGap | null;
}
