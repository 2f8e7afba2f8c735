import type { ToAgent, Work } from '@peerlab/contracts';

/**
 * A message in protocol 1, or null when that version has no such message. An agent of that version deletes an attempt
 * that it is told to drop, and every attempt that its welcome does not name: it reports nothing more about a revoked
 * attempt.
 */
export function inVersion1(message: ToAgent): ToAgent | null {
  switch (message.type) {
    case 'renewed':
      return null;
    case 'drop':
      return { type: 'drop', attemptId: message.attemptId, reason: message.reason };
    case 'welcome':
      return {
        type: 'welcome',
        protocol: message.protocol,
        agent: message.agent,
        attempts: message.attempts.filter(({ revoked }) => revoked === undefined),
      };
    case 'assign': {
      const { forgedFence: _, work, ...assignment } = message.assignment;
      return { type: 'assign', assignment: { ...assignment, work: workInVersion1(work) } };
    }
    case 'ack':
    case 'cancel':
    case 'probe':
    case 'refused':
      return message;
  }
}

function workInVersion1(work: Work): Work {
  if (work.kind !== 'build') return work;
  const { cacheDomain: _, ...known } = work;
  return known;
}
