import type { ToAgent } from '@peerlab/contracts';

/** Messages that agents of protocol 4 know. They get no attempt with several participants. */
const KNOWN_TO_4: ReadonlySet<string> = new Set<ToAgent['type']>([
  'welcome',
  'renewed',
  'assign',
  'ack',
  'drop',
  'cancel',
  'stop',
  'probe',
  'refused',
]);

/** A message as an agent of this protocol understands it, or null when that one has no word for it. */
export function inProtocol(message: ToAgent, protocol: number): ToAgent | null {
  return protocol === 4 && !KNOWN_TO_4.has(message.type) ? null : message;
}
