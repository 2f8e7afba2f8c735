import { rename, readFile, writeFile } from 'node:fs/promises';
import { orIfAbsent } from '@peerlab/runtime';
import { pause } from '../../timing.js';
import { MachineError, adviceOf } from '../errors.js';
import type { Disk } from '../protocols.js';
import { runMonitorCommand } from './qemu-power.js';
import { z } from 'zod';
import { defineDriver } from '../driver.js';

/** The lab starts QEMU within a second; after its own death the farm starts it again within a minute. */
const RESET_MS = 120_000;
/** Between two looks at what the lab did. */
const POLL_MS = 100;
/** Between two orders to end: a QEMU that took one needs a moment. */
const QUIT_AGAIN_MS = 3_000;

/**
 * The disk of a machine in the virtual lab: an overlay, which the lab recreates when QEMU ends while the
 * state file says `discard`. A new QEMU process is all new: memory, devices and their settings, too.
 *
 * The order is in the file before QEMU is ended, so that an agent or a lab that is killed in between
 * leaves either the old machine as it was, or one that comes up with a fresh disk.
 */
export function createQemuDisk(settings: { qmpSocket: string; stateFile: string; resetMs?: number }): Disk {
  const { qmpSocket, stateFile, resetMs = RESET_MS } = settings;
  const write = async (state: 'used' | 'discard'): Promise<void> => {
    try {
      await writeFile(`${stateFile}.agent`, `${state}\n`, { mode: 0o600, flush: true });
      await rename(`${stateFile}.agent`, stateFile);
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code ?? String(error);
      throw new MachineError(
        'power',
        `${stateFile} cannot be written (${why})`,
        'check disk.stateFile, and its folder',
      );
    }
  };
  const isFresh = async (): Promise<boolean> => {
    try {
      return (await orIfAbsent(readFile(stateFile), null)) === null;
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code ?? String(error);
      throw new MachineError('power', `${stateFile} cannot be read (${why})`, 'check disk.stateFile, and its folder');
    }
  };
  return {
    isFresh,
    markUsed: () => write('used'),
    async reset(signal) {
      await write('discard');
      const startedAt = performance.now();
      let quitAt = -Infinity;
      let obstacle = 'QEMU does not end';
      while (performance.now() - startedAt < resetMs) {
        signal?.throwIfAborted();
        try {
          if (await isFresh()) {
            await runMonitorCommand(qmpSocket, 'query-status', signal);
            return;
          }
          if (performance.now() - quitAt > QUIT_AGAIN_MS) {
            quitAt = performance.now();
            await runMonitorCommand(qmpSocket, 'quit', signal);
            obstacle = 'the lab has not started it again';
          }
        } catch (error) {
          signal?.throwIfAborted();
          // No monitor: QEMU has ended, or is about to open it.
          obstacle = adviceOf(error);
        }
        await pause(POLL_MS, signal);
      }
      throw new MachineError(
        'power',
        `no fresh disk within ${resetMs / 1000} s (${obstacle})`,
        'check that the virtual lab runs: peerlab-lab status',
      );
    },
  };
}

export const qemuDisk = defineDriver({
  schema: z.strictObject({ driver: z.literal('qemu'), qmpSocket: z.string().min(1), stateFile: z.string().min(1) }),
  paths: ['qmpSocket', 'stateFile'],
  create: (settings) => createQemuDisk(settings),
});
