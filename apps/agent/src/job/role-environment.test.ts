import { Role } from '@peerlab/contracts';
import { expect, it } from 'vitest';
import { roleEnvironment } from './role-environment.js';

it('names the own role, the roles of the others and their machines', () => {
  const peers = [
    { role: 'server', machine: 'v-pair-a' },
    { role: 'third-side', machine: 'v-pair-c' },
  ];
  expect(roleEnvironment({ role: 'client', peers })).toEqual({
    PEERLAB_ROLE: 'client',
    PEERLAB_PEERS: 'server third-side',
    PEERLAB_PEER_SERVER_MACHINE: 'v-pair-a',
    PEERLAB_PEER_THIRD_SIDE_MACHINE: 'v-pair-c',
  });
});

it('is empty where there is one participant', () => {
  expect(roleEnvironment({ role: 'main', peers: [] })).toEqual({});
});

it('has a name of its own for each role: no role has an underscore, a space or what a shell reads', () => {
  for (const role of ['a_b', 'a b', 'A', '1a', 'a$(b)', '', 'a'.repeat(33)])
    expect(Role.safeParse(role).success).toBe(false);
  expect(Role.safeParse('a-b').success).toBe(true);
});
