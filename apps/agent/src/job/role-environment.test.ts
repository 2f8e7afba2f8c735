import { Role } from '@peerlab/contracts';
import { expect, it } from 'vitest';
import type { PeerFacts } from './peer-facts.js';
import { roleEnvironment } from './role-environment.js';

const facts = (number: number): PeerFacts => ({
  kernel: `7.3.4-peerlab-${number}`,
  link: 'peer0',
  address: `10.77.0.${number}/24`,
  rdmaDevice: null,
  gid: null,
});

it('names the own role, the roles of the others, their machines and what is known of those', () => {
  const peers = [
    { role: 'server', machine: 'v-pair-a' },
    { role: 'third-side', machine: 'v-pair-c' },
  ];
  const known = new Map([
    ['client', facts(2)],
    ['server', { ...facts(1), rdmaDevice: 'mlx5_0', gid: '0000:0000:0000:0000:0000:ffff:0a4d:0001' }],
  ]);
  expect(roleEnvironment({ role: 'client', peers }, known)).toEqual({
    PEERLAB_ROLE: 'client',
    PEERLAB_PEERS: 'server third-side',
    PEERLAB_LINK: 'peer0',
    PEERLAB_LINK_ADDRESS: '10.77.0.2/24',
    PEERLAB_PEER_SERVER_MACHINE: 'v-pair-a',
    PEERLAB_PEER_SERVER_KERNEL: '7.3.4-peerlab-1',
    PEERLAB_PEER_SERVER_ADDRESS: '10.77.0.1',
    PEERLAB_PEER_SERVER_RDMA_DEVICE: 'mlx5_0',
    PEERLAB_PEER_SERVER_GID: '0000:0000:0000:0000:0000:ffff:0a4d:0001',
    PEERLAB_PEER_THIRD_SIDE_MACHINE: 'v-pair-c',
  });
});

it('has the only peer without its role, too', () => {
  const peers = [{ role: 'server', machine: 'v-pair-a' }];
  expect(roleEnvironment({ role: 'client', peers }, new Map([['server', facts(1)]]))).toMatchObject({
    PEERLAB_PEER_MACHINE: 'v-pair-a',
    PEERLAB_PEER_ADDRESS: '10.77.0.1',
    PEERLAB_PEER_KERNEL: '7.3.4-peerlab-1',
    PEERLAB_PEER_SERVER_ADDRESS: '10.77.0.1',
  });
});

it('is empty where there is one participant', () => {
  expect(roleEnvironment({ role: 'main', peers: [] }, new Map())).toEqual({});
});

it('has a name of its own for each role: no role has an underscore, a space or what a shell reads', () => {
  for (const role of ['a_b', 'a b', 'A', '1a', 'a$(b)', '', 'a'.repeat(33)])
    expect(Role.safeParse(role).success).toBe(false);
  expect(Role.safeParse('a-b').success).toBe(true);
});
