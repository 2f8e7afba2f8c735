import { quote, script } from '../machine/command.js';
import { MachineError } from '../machine/errors.js';
import { until } from '../timing.js';
import type { AttemptContext } from './attempt-context.js';
import { crashFailure } from './failure.js';

/**
 * Loads one module on the candidate that runs.
 * @returns what modprobe said when it refused; null when it is loaded
 * @throws JobFailure when the kernel crashed of it, MachineError when the connection broke otherwise
 */
export async function loadModule(context: AttemptContext, name: string): Promise<string | null> {
  const crashed = context.serial.watchFrom(context.serial.next);
  try {
    const command = script('modprobe', { module: name }, `modprobe ${quote(name)}`);
    const result = await context.connection.require().exec(command, { signal: context.signal });
    return result.code === 0 ? null : result.stderr.trim() || `exit ${result.code}`;
  } catch (error) {
    if (!(error instanceof MachineError)) throw error;
    const crash = await until('crash text', () => crashed() ?? undefined, {
      everyMs: 100,
      timeoutMs: context.pace.lateCrashMs,
      signal: context.signal,
    }).catch(() => null);
    context.signal.throwIfAborted();
    if (crash === null) throw error;
    throw crashFailure(`loading ${name} crashed the kernel: ${crash.signature}`, crash.signature);
  }
}
