import type { Booted } from './host.js';
import type { TestBench } from './test-bench.js';

/**
 * Powers the machine off and on again with the disk that it had at first, and waits for its default kernel.
 * It is not asked to shut down: nothing that it could still write is to be kept. Throws MachineError when the disk
 * could not be reset, DeadlinePassed when the machine does not come up.
 */
export async function bootFreshDisk(bench: TestBench, signal: AbortSignal): Promise<Booted> {
  const { host, machine, pace } = bench;
  if (machine.disk === null) throw new Error(`${machine.name} has no disk that can be reset`);
  host.leave();
  await machine.disk.reset(signal);
  host.forgetReboot();
  return host.awaitBoot(null, () => pace.recoverMs, signal);
}
