import { Injectable } from '@nestjs/common';
import {
  missed,
  refusedArrival,
  samePlace,
  settleMeetings,
  type Attendance,
  type FromAgent,
  type MeetingArrival,
  type MeetingOutcome,
  type ToAgent,
} from '@peerlab/contracts';
import { ParticipantStore, StaleFence } from '../attempts/participant-store.js';
import { announce } from '../platform/database/bus.js';
import { bool, columnsOf, nullable, pick, text, type RowOf } from '../platform/database/row-shape.js';
import { Sql, type Queries } from '../platform/database/sql.js';
import { jsonb, storable } from '../platform/database/storable.js';
import { Participant } from '../schema/attempts.js';
import { Meeting } from '../schema/meetings.js';

type MeetingFrame = Extract<FromAgent, { type: 'meeting' }>;
export type MeetingAnswer = Extract<ToAgent, { type: 'meeting' }>;

const MEETING = columnsOf(Meeting);

const SIDE = {
  ...pick(columnsOf(Participant), 'id', 'role', 'state', 'agent'),
  failure: nullable(text),
  left_suites: nullable(MEETING.left_suites),
  ...pick(MEETING, 'over', 'place', 'value', 'wait_seconds', 'outcome'),
  late: nullable(bool),
};
/** A participant of an attempt, and where it waits. */
type SideRow = RowOf<typeof SIDE>;

/**
 * Lets the participants of an attempt wait for each other and tell each other a value. The row of the attempt is locked
 * meanwhile; what is decided (contracts, `settleMeetings`) is stored, so that a frame that comes again gets the same
 * answer, from any controller.
 */
@Injectable()
export class MeetingService {
  readonly #sql: Sql;
  readonly #participants: ParticipantStore;

  constructor(sql: Sql, participants: ParticipantStore) {
    this.#sql = sql;
    this.#participants = participants;
  }

  /**
   * Takes where a participant waits, and decides for all that wait. Returns how its own waiting ended; null while it
   * goes on. Throws StaleFence.
   */
  async arrive(agent: string, { participantId, fence, left, over, at }: MeetingFrame): Promise<MeetingAnswer | null> {
    return this.#sql.transaction(async (tx) => {
      const { attemptId, revoked } = await this.#participants.checkFence(tx, participantId, fence, agent, 'update');
      if (revoked !== null) throw new StaleFence('revoked', revoked);
      const before = await readSides(tx, attemptId);
      const own = before.find(({ id }) => id === participantId);
      if (own === undefined || own.state === 'ended') return null;
      await this.#put(tx, own, left, over, at);
      const sides = await readSides(tx, attemptId);
      const settled = settleMeetings(sides.map(attendanceOf));
      for (const side of sides) {
        const outcome = settled.get(side.role);
        if (outcome === undefined) continue;
        side.outcome = outcome;
        await tx.run('update meeting set outcome = $2 where participant_id = $1', [side.id, jsonb(outcome)]);
        if (side.id !== participantId) {
          await announce(tx, { type: 'meeting', agent: side.agent, participantId: side.id });
        }
      }
      const now = sides.find(({ id }) => id === participantId);
      return at === null || now === undefined ? null : answerOf(now);
    });
  }

  /** How the last waiting of an agent's participant ended; null while it waits, and when there was none. */
  async answerFor(agent: string, participantId: string): Promise<MeetingAnswer | null> {
    const row = await this.#sql.one(
      { id: columnsOf(Participant).id, ...pick(MEETING, 'place', 'outcome') },
      `select p.id, m.place, m.outcome from participant p join meeting m on m.participant_id = p.id
       where p.id = $1 and p.agent = $2 and p.state <> 'ended'`,
      [participantId, agent],
    );
    return row === null ? null : answerOf(row);
  }

  /** Stores an arrival. One that comes again keeps what was decided; none at all ends the waiting. */
  async #put(
    tx: Queries,
    own: SideRow,
    left: readonly string[],
    over: string | null,
    at: MeetingArrival | null,
  ): Promise<void> {
    await tx.run(
      `insert into meeting (participant_id, left_suites, over) values ($1, $2, $3)
       on conflict (participant_id) do update set left_suites = excluded.left_suites, over = excluded.over`,
      [own.id, jsonb(left), storable(over)],
    );
    if (at === null) {
      const outcome = missed('passed', over ?? 'its program ended');
      await tx.run(
        'update meeting set outcome = $2 where participant_id = $1 and place is not null and outcome is null',
        [own.id, jsonb(outcome)],
      );
      return;
    }
    if (own.place !== null && samePlace(own.place, at.place)) return;
    await tx.run(
      `update meeting set place = $2, value = $3, wait_seconds = $4::int, outcome = $5,
         deadline_at = clock_timestamp() + make_interval(secs => $4::int) where participant_id = $1`,
      [own.id, jsonb(at.place), storable(at.value), at.waitSeconds, jsonb(refusedArrival(at.place, own.place, left))],
    );
  }
}

function readSides(tx: Queries, attemptId: string): Promise<SideRow[]> {
  return tx.rows(
    SIDE,
    `select p.id, p.role, p.state, p.agent, p.failure ->> 'message' as failure, m.left_suites, m.over, m.place, m.value,
       m.wait_seconds, m.outcome, m.deadline_at <= clock_timestamp() as late
     from participant p left join meeting m on m.participant_id = p.id where p.attempt_id = $1 order by p.position`,
    [attemptId],
  );
}

function attendanceOf(side: SideRow): Attendance {
  const { role, state, failure, place, value, wait_seconds: waitSeconds, late, outcome } = side;
  const ended = failure === null ? 'has ended' : `has ended: ${failure}`;
  return {
    role,
    over: side.over ?? (state === 'ended' ? ended : null),
    left: side.left_suites ?? [],
    at:
      place === null
        ? null
        : { place, value: value ?? '', waitSeconds: waitSeconds ?? 0, late: late === true, outcome },
  };
}

function answerOf({
  id,
  place,
  outcome,
}: Pick<SideRow, 'id' | 'place'> & { outcome: MeetingOutcome | null }): MeetingAnswer | null {
  return place === null || outcome === null ? null : { type: 'meeting', participantId: id, place, outcome };
}
