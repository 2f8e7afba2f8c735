import type { HardwareSide } from '@peerlab/contracts';
import { expect, it } from 'vitest';
import { hardwareFacts } from './hardware-facts.js';

const side = (pathKind: 'BUS_ADDR' | 'THRU_HOST_BRIDGE', system: string): HardwareSide => ({
  combination: {
    hash: 'a'.repeat(64),
    label: '',
    identity: {
      provider: 'p',
      client: 'c',
      pathKind,
      platform: { system, cpuVendor: 'AMD', cpuFamily: 23, iommu: 'none' },
    },
  },
  machines: [],
  attempts: 1,
  isCut: false,
});

it('names first what differs', () => {
  const facts = hardwareFacts(side('BUS_ADDR', 'QEMU Standard PC'), side('THRU_HOST_BRIDGE', 'Dell R760'));
  expect(facts.slice(0, 3).map(({ name, a, b }) => [name, a, b])).toEqual([
    ['peer path', 'BUS_ADDR', 'THRU_HOST_BRIDGE'],
    ['system', 'QEMU Standard PC', 'Dell R760'],
    ['machine', 'virtual', 'real'],
  ]);
  expect(facts.slice(3).every(({ isSame }) => isSame)).toBe(true);
});
