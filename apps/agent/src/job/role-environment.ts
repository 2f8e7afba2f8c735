import type { Assignment } from '@peerlab/contracts';

/** A role has letters, digits and dashes; a variable has no dash. No role has an underscore, so each has its own name. */
const variableOf = (role: string): string => `PEERLAB_PEER_${role.toUpperCase().replaceAll('-', '_')}_MACHINE`;

/**
 * What a suite finds in its environment where the attempt has several participants: its own role, the roles of the others,
 * and the machine of each. Empty where it has one.
 */
export function roleEnvironment({ role, peers }: Pick<Assignment, 'role' | 'peers'>): Record<string, string> {
  if (peers.length === 0) return {};
  return {
    PEERLAB_ROLE: role,
    PEERLAB_PEERS: peers.map((peer) => peer.role).join(' '),
    ...Object.fromEntries(peers.map((peer) => [variableOf(peer.role), peer.machine])),
  };
}
