import type { MeetingOutcome, MeetingPlace } from '@peerlab/contracts';
import { Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';
import { Participant } from './attempts.js';

/** Where a participant waits for its peers, or last waited: it is at one place at a time, so there is one row of it. */
@Entity('meeting')
export class Meeting {
  @ForeignKey(() => Participant, { name: 'meeting_participant_fkey', onDelete: 'CASCADE' })
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'meeting_pkey' })
  participantId: string;
  /** Suites that it is through with. */
  @Column('jsonb')
  leftSuites: string[];
  /** Why it comes to no place any more; null while it may. */
  @Column('text', { nullable: true })
  over: string | null;
  /** null = it has waited nowhere; so are the next three. */
  @Column('jsonb', { nullable: true })
  place: MeetingPlace | null;
  @Column('text', { nullable: true })
  value: string | null;
  @Column('int', { nullable: true })
  waitSeconds: number | null;
  /** By the database's clock. */
  @Column('timestamptz', { nullable: true })
  deadlineAt: Date | null;
  /** null while it waits. */
  @Column('jsonb', { nullable: true })
  outcome: MeetingOutcome | null;
}
