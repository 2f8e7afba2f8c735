import { open } from 'node:fs/promises';
import { MachineError } from '../errors.js';
import type { DeviceMemory } from '../protocols.js';
import { z } from 'zod';
import { defineDriver } from '../driver.js';

/** The file behind a QEMU `memory-backend-file`: device memory without asking the guest. */
export function createFileMemory(settings: { path: string }): DeviceMemory {
  return {
    async read(offsetBytes, lengthBytes) {
      const file = await open(settings.path).catch((error: NodeJS.ErrnoException) => {
        throw new MachineError(
          'memory',
          `device memory ${settings.path} cannot be read (${error.code ?? error.message})`,
          'correct deviceMemory.path',
        );
      });
      try {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(lengthBytes), 0, lengthBytes, offsetBytes);
        if (bytesRead !== lengthBytes) {
          throw new MachineError('memory', `${offsetBytes}+${lengthBytes} lies outside ${settings.path}`);
        }
        return buffer;
      } finally {
        await file.close();
      }
    },
  };
}

export const fileMemory = defineDriver({
  schema: z.strictObject({ driver: z.literal('file'), path: z.string().min(1) }),
  paths: ['path'],
  create: (settings) => createFileMemory(settings),
});
