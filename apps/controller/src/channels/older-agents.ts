import type { BundleManifest, ToAgent, Work } from '@peerlab/contracts';

/** A message as an agent of this protocol understands it, or null when that one has no word for it. */
export function inProtocol(message: ToAgent, protocol: number): ToAgent | null {
  switch (protocol) {
    case 1:
      return inVersion1(message);
    case 2:
      return inVersion2(message);
    default:
      return message;
  }
}

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
      return inVersion2({ type: 'assign', assignment: { ...assignment, work: workInVersion1(work) } });
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

/** A message as an agent of protocol 2 understands it: manifests said of one feature whether the kernel has it. */
export function inVersion2(message: ToAgent): ToAgent {
  if (message.type !== 'assign' || message.assignment.work.kind !== 'test') return message;
  const { work } = message.assignment;
  const features = { dmaAlias: work.manifest.features.includes('dma_alias') };
  const manifest = { ...work.manifest, features } as unknown as BundleManifest;
  return { type: 'assign', assignment: { ...message.assignment, work: { ...work, manifest } } };
}
