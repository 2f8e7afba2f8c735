import { output, quote, script } from '../machine/command.js';
import type { AttemptContext } from './attempt-context.js';
import { JobFailure } from './failure.js';

const READ_MS = 30_000;

/** How often the kernel that runs has lost the carrier of the link to the peers; null where it does not say. */
export interface LinkDowns {
  bootId: string;
  count: number;
}

/** Null where there is no link to a peer, or no count of it. */
export async function readLinkDowns(context: AttemptContext): Promise<LinkDowns | null> {
  const { assignment, connection, candidate, facts, signal } = context;
  const device = facts.get(assignment.role)?.link ?? null;
  if (device === null || candidate === null) return null;
  const command = script(
    'link-downs',
    { link: device },
    `cat /sys/class/net/${quote(device)}/carrier_down_count 2>/dev/null; exit 0`,
  );
  const text = (await output(connection.require(), command, { timeoutMs: READ_MS, maxBytes: 100, signal })).trim();
  return /^\d{1,9}$/.test(text) ? { bootId: candidate.bootId, count: Number(text) } : null;
}

/**
 * Throws when the link was lost since `before`: what failed meanwhile says nothing of a kernel on the other side, and whether
 * cable, switch or driver lost it nobody can tell from here.
 */
export function checkLink(
  { machine, facts, assignment }: AttemptContext,
  suite: string,
  before: LinkDowns | null,
  after: LinkDowns | null,
): void {
  if (before === null || after === null || before.bootId !== after.bootId) return;
  const lost = after.count - before.count;
  if (lost <= 0) return;
  throw new JobFailure(
    'infrastructure',
    `the link ${facts.get(assignment.role)?.link ?? ''} of ${machine.name} went down ${lost === 1 ? 'once' : `${lost} times`} while ${suite} ran; look at the cable, the switch and what the driver says in the kernel log`,
  );
}
