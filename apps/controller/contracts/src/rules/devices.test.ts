import { describe, expect, it } from 'vitest';
import { type PciFunction, recogniseDevice } from '../index.js';

const fn = (ids: string, cls: string, more: Partial<PciFunction> = {}): PciFunction => ({
  address: '0000:03:00.0',
  vendor: ids.slice(0, 4),
  device: ids.slice(5),
  subsystem: null,
  class: cls,
  revision: '00',
  parents: [],
  driver: null,
  link: null,
  numaNode: null,
  acsControl: null,
  iommuGroup: null,
  barSizesBytes: [],
  ...more,
});

describe('what a PCI function is to the farm', () => {
  it.each([
    ['10de:2330', '030200', 'NVIDIA GPU 10de:2330'],
    ['1002:74a1', '120000', 'AMD GPU 1002:74a1'],
    ['8086:e20b', '030000', 'Intel GPU 8086:e20b'],
    ['8086:0bda', '120000', 'Intel GPU 8086:0bda'],
  ])('%s of class %s lends memory', (ids, cls, model) => {
    expect(recogniseDevice(fn(ids, cls))).toEqual({ role: 'provider', model });
  });

  it('a NIC does DMA to it where it has an RDMA device: not every Broadcom one has', () => {
    const rdma = { rdmaDevices: ['bnxt_re0'] };
    expect(recogniseDevice(fn('14e4:1750', '020000', rdma))?.role).toBe('client');
    expect(recogniseDevice(fn('14e4:165f', '020000', { rdmaDevices: [] }))).toBeNull();
    // An agent of before reads no RDMA devices.
    expect(recogniseDevice(fn('14e4:1750', '020000'))?.role).toBe('client');
    expect(recogniseDevice(fn('1d0f:efa2', '020000', { rdmaDevices: ['rdmap0s6'] }))).toEqual({
      role: 'client',
      model: 'RDMA NIC 1d0f:efa2',
    });
  });

  it('a virtual function is part of its physical one, and the NIC of the agent is never under test', () => {
    const rdma = { rdmaDevices: ['mlx5_0'] };
    expect(recogniseDevice(fn('15b3:101e', '020000', { ...rdma, physicalFunction: '0000:03:00.1' }))).toBeNull();
    expect(recogniseDevice(fn('15b3:1021', '020700', { ...rdma, management: true }))).toBeNull();
    expect(recogniseDevice(fn('15b3:1021', '020700', rdma))).toEqual({
      role: 'client',
      model: 'NVIDIA ConnectX 15b3:1021',
    });
  });

  it('an NVMe drive or a USB controller is nothing to it', () => {
    expect(recogniseDevice(fn('144d:a80a', '010802', { rdmaDevices: [] }))).toBeNull();
    expect(recogniseDevice(fn('8086:a36d', '0c0330'))).toBeNull();
  });
});
