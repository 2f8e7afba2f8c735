import type { FromAgent } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import type { MeetingService } from '../meetings/meeting.service.js';
import type { AgentConnection } from './agent-connection.js';
import { dropWhenStale } from './attempt-replies.js';

/** Tells agents how waiting for the other participants of an attempt ended. */
export class MeetingReplies {
  readonly #meetings: MeetingService;

  constructor(meetings: MeetingService) {
    this.#meetings = meetings;
  }

  /** Answers at once when it is decided; else the agent is told when it is, and asks again with time. */
  async take(
    connection: AgentConnection,
    agent: string,
    frame: Extract<FromAgent, { type: 'meeting' }>,
  ): Promise<void> {
    await dropWhenStale(connection, frame.participantId, async () => {
      const answer = await this.#meetings.arrive(agent, frame);
      if (answer !== null) connection.send(answer);
    });
  }

  /** Another participant came: this one's waiting is over. Lost when it fails: its agent asks again. */
  tell(connection: AgentConnection, agent: string, participantId: string): void {
    this.#meetings.answerFor(agent, participantId).then(
      (answer) => {
        if (answer !== null) connection.send(answer);
      },
      (err: unknown) => log.warn({ err, agent, participant: participantId }, 'meeting-not-told'),
    );
  }
}
