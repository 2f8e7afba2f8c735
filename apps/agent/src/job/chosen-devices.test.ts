import { describe, expect, it } from 'vitest';
import type { DeviceMemory } from '../machine/protocols.js';
import { deviceArguments, memoryOfProvider } from './chosen-devices.js';
import type { TestWork } from './attempt-context.js';

const [first, second] = ['0000:03:00.0', '0000:05:00.0'];
const client = { address: '0000:04:00.0', model: 'edu' };

/** A test of one of two providers. */
function workOn(provider: string, binds?: TestWork['manifest']['binds']): TestWork {
  const path = { provider: { address: provider, model: 'ivshmem' }, client };
  const otherProviders = [first, second].filter((address) => address !== provider);
  return { path, otherProviders, manifest: { binds } } as unknown as TestWork;
}

describe('the kernel under test', () => {
  it('is told which functions its modules take: the tested one first', () => {
    const binds = { our_provider: 'provider', our_client: 'client' } as const;
    expect(deviceArguments(workOn(second, binds))).toEqual([
      `our_provider.devices=${second},${first}`,
      `our_client.devices=${client.address}`,
    ]);
  });

  it('is told nothing when the bundle’s modules take what they find', () => {
    expect(deviceArguments(workOn(second))).toEqual([]);
  });

  it('gets no address that is none', () => {
    expect(() => deviceArguments(workOn('0000:03:00.0 init=/bin/sh', { our_provider: 'provider' }))).toThrow(
      'the provider to test has no PCI address',
    );
  });
});

it('the oracle is the memory of the tested provider, or there is none', () => {
  const memories: DeviceMemory[] = [first, second].map((address) => ({
    read: () => Promise.resolve(Buffer.from(address)),
  }));
  const [ofFirst, ofSecond] = memories;
  expect(memoryOfProvider(memories, workOn(first))).toBe(ofFirst);
  expect(memoryOfProvider(memories, workOn(second))).toBe(ofSecond);
  expect(memoryOfProvider(memories.slice(0, 1), workOn(second))).toBeNull();
  expect(memoryOfProvider([], workOn(first))).toBeNull();
});
