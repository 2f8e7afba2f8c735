import { join } from 'node:path';
import type { MachineDefinition } from './definition.js';

/** The images of machines by the server that they are for; '' = the plain machines'. */
export const imageNameOf = (machine: MachineDefinition): string => machine.server?.image ?? '';

/**
 * The scripts that build what these machines need; each prints its folder as `@image`. That of the plain machines is
 * always among them, because the accelerator is tried with it.
 * @param infra the folder of that name in the checkout
 */
export function imageScripts(
  infra: string,
  machines: readonly MachineDefinition[],
  cacheDir: string,
): { name: string; command: string[] }[] {
  const names = new Set(['', ...machines.map(imageNameOf)]);
  return [...names].map((name) => ({
    name,
    command:
      name === ''
        ? ['sh', join(infra, 'rootfs/build.sh'), '--cache', cacheDir]
        : ['sh', join(infra, 'rootfs/servers/build.sh'), '--server', name, '--cache', cacheDir],
  }));
}
