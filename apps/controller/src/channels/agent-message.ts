import { fitTo, FRAME_MAX_BYTES, ToAgent } from '@peerlab/contracts';
import { z } from 'zod';
import { inProtocol } from './older-agents.js';

/** `text` null = the agent's version has no such message; `problem` = the agent would refuse it and disconnect. */
export type OutgoingMessage = { text: string | null } | { problem: string };

/**
 * Encodes a message for an agent of this protocol version. Texts that are too long are cut. An agent disconnects when
 * it receives a frame that is too large or that it cannot read, and would receive it again after every reconnect.
 */
export function outgoingMessage(message: ToAgent, protocol: number): OutgoingMessage {
  try {
    const spoken = inProtocol(fitTo(ToAgent, message), protocol);
    if (spoken === null) return { text: null };
    const text = JSON.stringify(spoken);
    const bytes = Buffer.byteLength(text);
    if (bytes <= FRAME_MAX_BYTES) return { text };
    return { problem: `it has ${bytes} bytes, and an agent takes at most ${FRAME_MAX_BYTES}` };
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    const [issue] = error.issues;
    return { problem: `an agent cannot read it: ${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? ''}` };
  }
}
