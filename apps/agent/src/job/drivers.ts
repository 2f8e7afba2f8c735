import { cleanText } from '@peerlab/contracts';
import type { AttemptContext } from './attempt-context.js';
import { loadModule } from './load-module.js';
import { proveModule } from './module-proof.js';

/** What modprobe says is a line or two. */
const SAID_MAX = 400;

/**
 * Loads the out-of-tree drivers that the machine needs, and gives each a result of its own, `driver NAME`: passed = built
 * with this kernel, loaded, and proven by build-id; no result = it does not build or load, which is no finding against the
 * kernel, as nothing was tested by it. Suites that need its modules say so themselves.
 * @throws JobFailure when the kernel crashed while one was loaded, or when another module of its name runs
 */
export async function loadDrivers(context: AttemptContext): Promise<void> {
  for (const name of context.machine.drivers) {
    const startedAt = performance.now();
    const problem = await loadDriver(context, name);
    context.note(`test: the driver ${problem ?? `${name} is loaded`}`);
    if (context.toldDrivers.has(name)) continue;
    context.toldDrivers.add(name);
    context.emitFarmResult(`driver ${name}`, {
      status: problem === null ? 'pass' : 'no-result',
      reason: problem === null ? null : `the driver ${problem}`,
      durationMs: Math.round(performance.now() - startedAt),
      signature: null,
      log: null,
    });
  }
}

/** Why the driver does not run; null when it does. */
async function loadDriver(context: AttemptContext, name: string): Promise<string | null> {
  const driver = context.work.drivers?.find((each) => each.name === name);
  if (driver === undefined)
    return `${name} was not built against this kernel; put it into kernel/drivers of the builder, and have the farm build the kernel`;
  if (driver.archive === null) return `${`${name} ${driver.version}`.trim()} does not build: ${driver.error}`;
  for (const module of driver.modules) {
    const refused = await loadModule(context, module);
    if (refused !== null)
      return `${name} ${driver.version} is built, but modprobe ${module} failed: ${cleanText(refused, SAID_MAX)}`;
    await proveModule(context, module);
  }
  return null;
}
