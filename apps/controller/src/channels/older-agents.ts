import type { BundleManifest, ToAgent } from '@peerlab/contracts';

/** A message as an agent of this protocol understands it, or null when that one has no word for it. */
export function inProtocol(message: ToAgent, protocol: number): object | null {
  switch (protocol) {
    case 2:
      return inVersion3(inVersion2(message));
    case 3:
      return inVersion3(message);
    default:
      return message;
  }
}

/** A message as an agent of protocol 2 understands it: manifests said of one feature whether the kernel has it. */
export function inVersion2(message: ToAgent): ToAgent {
  if (message.type !== 'assign' || message.assignment.work.kind !== 'test') return message;
  const { work } = message.assignment;
  const features = { dmaAlias: work.manifest.features.includes('dma_alias') };
  const manifest = { ...work.manifest, features } as unknown as BundleManifest;
  return { type: 'assign', assignment: { ...message.assignment, work: { ...work, manifest } } };
}

/**
 * A message as an agent of protocol 3 understands it: attempts had one machine, and were named where a participant is
 * named now. Null for a message about a peer, which no attempt of such an agent has.
 */
export function inVersion3(message: ToAgent): object | null {
  switch (message.type) {
    case 'welcome':
    case 'renewed': {
      const { participants, ...rest } = message;
      return { ...rest, attempts: participants.map(named) };
    }
    case 'assign': {
      const { role: _role, peers: _peers, attemptId: _attempt, ...assignment } = message.assignment;
      return { type: 'assign', assignment: named(assignment) };
    }
    case 'ack':
    case 'drop':
    case 'cancel':
      return named(message);
    case 'stop':
    case 'meeting':
      return null;
    case 'probe':
    case 'refused':
      return message;
  }
}

function named({ participantId, ...rest }: { participantId: string }): object {
  return { attemptId: participantId, ...rest };
}

/** A frame of an agent of protocol 3 or 2 in the words of today; others are left as they are. */
export function fromOlder(fields: Record<string, unknown>): Record<string, unknown> {
  const { attemptId, attempts, ...rest } = fields;
  if (attemptId !== undefined && rest['participantId'] === undefined) return { ...rest, participantId: attemptId };
  if (attempts === undefined || rest['participants'] !== undefined) return fields;
  return { ...rest, participants: Array.isArray(attempts) ? attempts.map(participantOf) : attempts };
}

function participantOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { attemptId, ...rest } = value as Record<string, unknown>;
  return { participantId: attemptId, ...rest };
}
