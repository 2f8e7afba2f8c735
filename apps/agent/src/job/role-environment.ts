import type { Assignment } from '@peerlab/contracts';
import type { PeerFacts } from './peer-facts.js';

/** A role has letters, digits and dashes; a variable has no dash. No role has an underscore, so each has its own name. */
const prefixOf = (role: string): string => `PEERLAB_PEER_${role.toUpperCase().replaceAll('-', '_')}_`;

/**
 * What a suite finds in its environment where the attempt has several participants: its own role, the roles of the others,
 * and for each its machine, kernel, address, RDMA device and GID, as far as they are known. With one peer the same stand
 * without its role, too. Empty where the attempt has one participant.
 * @param facts of all participants, by role
 */
export function roleEnvironment(
  { role, peers }: Pick<Assignment, 'role' | 'peers'>,
  facts: ReadonlyMap<string, PeerFacts>,
): Record<string, string> {
  if (peers.length === 0) return {};
  const own = facts.get(role);
  const others = peers.map((peer) => ({ peer, about: variables(peer.machine, facts.get(peer.role)) }));
  const [only] = others;
  return {
    PEERLAB_ROLE: role,
    PEERLAB_PEERS: peers.map((peer) => peer.role).join(' '),
    ...present({
      PEERLAB_LINK: own?.link,
      PEERLAB_LINK_ADDRESS: own?.address,
      PEERLAB_RDMA_DEVICE: own?.rdmaDevice,
      PEERLAB_GID: own?.gid,
    }),
    ...Object.assign({}, ...others.map(({ peer, about }) => prefixed(prefixOf(peer.role), about))),
    ...(only !== undefined && others.length === 1 ? prefixed('PEERLAB_PEER_', only.about) : {}),
  };
}

function variables(machine: string, facts: PeerFacts | undefined): Record<string, string> {
  return present({
    MACHINE: machine,
    KERNEL: facts?.kernel,
    // Without the length of its prefix: it is what one connects to.
    ADDRESS: facts?.address?.split('/', 1)[0],
    RDMA_DEVICE: facts?.rdmaDevice,
    GID: facts?.gid,
  });
}

const prefixed = (prefix: string, values: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]));

function present(values: Record<string, string | null | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value === undefined || value === null ? [] : [[name, value]])),
  );
}
