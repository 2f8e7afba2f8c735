import { QmpError, runQmpCommand } from '@peerlab/runtime';
import { z } from 'zod';
import { defineDriver } from '../driver.js';
import { MachineError } from '../errors.js';
import type { Power } from '../protocols.js';

/**
 * Runs one command of a machine's QEMU monitor.
 * @returns its `return` value
 * @throws MachineError('power'), or the reason of the signal
 */
export async function runMonitorCommand(qmpSocket: string, command: string, signal?: AbortSignal): Promise<unknown> {
  try {
    return await runQmpCommand(qmpSocket, command, signal === undefined ? {} : { signal });
  } catch (error) {
    if (!(error instanceof QmpError)) throw error;
    const remedy = 'check power.qmpSocket, that QEMU runs, and that no other client holds its monitor';
    throw new MachineError('power', error.message, remedy, error);
  }
}

/** Power of a QEMU machine through its QMP socket. */
export function createQemuPower(settings: { qmpSocket: string }): Power {
  return {
    name: `QEMU at ${settings.qmpSocket}`,
    async reset(signal) {
      await runMonitorCommand(settings.qmpSocket, 'system_reset', signal);
    },
    async state(signal) {
      const answer = (await runMonitorCommand(settings.qmpSocket, 'query-status', signal)) as { running?: boolean };
      return answer.running === true ? 'on' : 'off';
    },
    // QEMU ends when it is switched off; the lab's disk driver does that.
    cycle: null,
  };
}

export const qemuPower = defineDriver({
  schema: z.strictObject({ driver: z.literal('qemu'), qmpSocket: z.string().min(1) }),
  paths: ['qmpSocket'],
  create: (settings) => createQemuPower(settings),
});
