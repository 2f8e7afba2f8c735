import { PciAddress } from '@peerlab/contracts';
import type { DeviceMemory } from '../machine/protocols.js';
import type { TestWork } from './attempt-context.js';
import { JobFailure } from './failure.js';

type ChosenPair = Pick<TestWork, 'path' | 'otherProviders'>;

/**
 * Arguments of the kernel under test that tell the bundle's modules which functions to take: those of the pair, as number
 * 0, and then the machine's other providers. As arguments of the kernel, because udev may load a module before we do.
 */
export function deviceArguments(work: ChosenPair & Pick<TestWork, 'manifest'>): string[] {
  const { path, otherProviders = [] } = work;
  const addresses = { provider: [path.provider.address, ...otherProviders], client: [path.client.address] };
  return Object.entries(work.manifest.binds ?? {}).map(([module, end]) => {
    for (const address of addresses[end]) {
      if (PciAddress.safeParse(address).success) continue;
      throw new JobFailure('request', `the ${end} to test has no PCI address: ${address.slice(0, 64)}`);
    }
    return `${module}.devices=${addresses[end].join(',')}`;
  });
}

/** What a suite finds in its environment: the PCI addresses of the pair. */
export function deviceEnvironment({ path }: ChosenPair): Record<string, string> {
  return { P2P_PROVIDER: path.provider.address, P2P_CLIENT: path.client.address };
}

/** The host's view of the memory of the pair's provider; null when it has none. `memories`: by the providers' addresses. */
export function memoryOfProvider(
  memories: readonly DeviceMemory[],
  { path, otherProviders = [] }: ChosenPair,
): DeviceMemory | null {
  const { address } = path.provider;
  const place = [address, ...otherProviders].toSorted().indexOf(address);
  return memories[place] ?? null;
}
