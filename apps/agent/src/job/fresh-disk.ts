import type { Booted } from './machine-connection.js';
import type { RestoreContext } from './restore-context.js';

/**
 * Powers the machine off and on again with the disk that it had at first, and waits for its default kernel.
 * It is not asked to shut down: nothing that it could still write is to be kept. Throws MachineError when the disk
 * could not be reset, DeadlinePassed when the machine does not come up.
 */
export async function bootFreshDisk(context: RestoreContext, signal: AbortSignal): Promise<Booted> {
  const { connection, machine } = context;
  if (machine.disk === null) throw new Error(`${machine.name} has no disk that can be reset`);
  connection.leave();
  await machine.disk.reset(signal);
  connection.forgetReboot();
  return connection.awaitBoot(null, () => context.recoverMs, signal);
}
