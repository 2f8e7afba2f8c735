import type { SpoolStream } from '@peerlab/contracts';
import type { z } from 'zod';
import { StaleFence } from '../attempts/participant-store.js';
import type { AgentConnection } from './agent-connection.js';

/** Tells the agent that everything of a stream below `next` is stored, so that it can delete its copy. */
export function acknowledge(
  connection: AgentConnection,
  participantId: string,
  stream: z.infer<typeof SpoolStream>,
  next: number,
): void {
  connection.send({ type: 'ack', participantId, stream, next });
}

/** Runs `work` on a frame of a participant; tells the agent to drop that when its fence is stale. */
export async function dropWhenStale(
  connection: AgentConnection,
  participantId: string,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof StaleFence)) throw error;
    connection.send({ type: 'drop', participantId, code: error.code, reason: error.message });
  }
}
