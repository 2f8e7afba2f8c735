import type { CrashType, HardwareAlarmKind, HardwareAlarmSeverity, LogStream, SourceFrame } from '@peerlab/contracts';
import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { NUMBER } from '../platform/database/bigint.js';
import { Participant } from './attempts.js';

/** A crash in the logs of a participant: all reports with one title. It stays when retention removes the lines. */
@Entity('crash')
@Index('crash_key', ['key'])
export class CrashRow {
  @ForeignKey(() => Participant, { name: 'crash_participant_fkey' })
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'crash_pkey' })
  participantId: string;
  /** MD5 of the title, in hex. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'crash_pkey' })
  key: string;
  @Column('text')
  title: string;
  @Column('text')
  type: CrashType;
  @Column('text')
  severity: 'crash' | 'warning';
  @Column('boolean')
  corrupted: boolean;
  /** Where its first report is, both lines included. */
  @Column('text')
  stream: LogStream;
  @Column('bigint', { transformer: NUMBER })
  startLine: number;
  @Column('bigint', { transformer: NUMBER })
  endLine: number;
  /** Reports with this title in that stream. */
  @Column('int')
  times: number;
  @Column('text', { array: true })
  frames: string[];
  /** Addresses of code that its first whole report names, in its order; those that are placed are in call_source. */
  @Column('text', { array: true, default: '{}' })
  calls: string[];
  @Column('text', { nullable: true })
  taint: string | null;
  /** The test that ran. */
  @Column('text', { nullable: true })
  suite: string | null;
  @Column('text', { nullable: true })
  test: string | null;
  /** When the first line arrived, by the agent's clock. */
  @Column('timestamptz')
  at: Date;
}

/** Where in the source an address is that the kernel of a participant reported. */
@Entity('call_source')
export class CallSourceRow {
  @ForeignKey(() => Participant, { name: 'call_source_participant_fkey' })
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'call_source_pkey' })
  participantId: string;
  /** As the report names it. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'call_source_pkey' })
  call: string;
  @Column('jsonb')
  frames: SourceFrame[];
}

/** A participant whose logs are to be searched for crashes. */
@Entity('crash_search')
@Index('crash_search_requested', ['requestedAt'])
export class CrashSearchRow {
  @ForeignKey(() => Participant, { name: 'crash_search_participant_fkey' })
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'crash_search_pkey' })
  participantId: string;
  /** A request that came while the search ran has a newer time, and the logs are searched again. */
  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  requestedAt: Date;
  /** Searches that failed; the next one waits longer. */
  @Column('int', { default: 0 })
  failed: number;
}

/** What the hardware of a participant's machine told in its logs; it stays when retention removes the lines. */
@Entity('hardware_alarm')
export class HardwareAlarmRow {
  @ForeignKey(() => Participant, { name: 'hardware_alarm_participant_fkey' })
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'hardware_alarm_pkey' })
  participantId: string;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'hardware_alarm_pkey' })
  kind: HardwareAlarmKind;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'hardware_alarm_pkey' })
  severity: HardwareAlarmSeverity;
  @PrimaryColumn('text', { primaryKeyConstraintName: 'hardware_alarm_pkey' })
  title: string;
  /** Empty where it names none. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'hardware_alarm_pkey' })
  device: string;
  /** Where the first of its lines is. */
  @Column('text')
  stream: LogStream;
  @Column('bigint', { transformer: NUMBER })
  line: number;
  @Column('int')
  times: number;
  /** When that line arrived, by the agent's clock. */
  @Column('timestamptz')
  at: Date;
}
