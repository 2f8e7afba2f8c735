import { adviceOf } from '../machine/errors.js';
import { DeadlinePassed } from '../timing.js';
import { bootCandidate, resetToDefault } from './candidate-boot.js';
import { crashFailure, JobFailure } from './failure.js';
import { loadDrivers } from './drivers.js';
import { loadModule } from './load-module.js';
import { proveModule } from './module-proof.js';
import { untrustedFailure } from './stages/boot.js';
import { verify } from './stages/verify.js';
import type { AttemptContext } from './attempt-context.js';

/** Loads the bundle's modules and the machine's drivers on the candidate that runs. A crash in them ends the attempt. */
export async function loadModules(context: AttemptContext): Promise<void> {
  const { manifest } = context.work;
  for (const name of manifest.modules) {
    const problem = await loadModule(context, name);
    if (problem !== null) throw new JobFailure('harness', `modprobe ${name} failed on ${manifest.release}: ${problem}`);
    await proveModule(context, name);
  }
  if (manifest.modules.length > 0) context.note(`test: loaded ${manifest.modules.join(', ')}`);
  await loadDrivers(context);
}

/** After a crash or a hang: the default kernel first, by itself or by a reset. */
export async function recoverDefault(context: AttemptContext, crashedBootId: string): Promise<void> {
  context.kernelLog.detach();
  try {
    const booted = await context.connection.awaitBoot(crashedBootId, () => context.recoverMs, context.signal);
    context.note(`test: ${context.machine.name} came back with ${booted.kernel.release}`);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof DeadlinePassed)) throw error;
    context.note(`test: ${adviceOf(error)}`);
    await resetToDefault(context);
  }
}

/** Boots the candidate again in the middle of a suite; the entry is still installed. */
export async function rebootCandidate(context: AttemptContext): Promise<void> {
  const outcome = await bootCandidate(context);
  if (outcome.kind === 'crash') {
    throw crashFailure(
      `the kernel came up before, but crashed when it was booted again: ${outcome.signature}`,
      outcome.signature,
    );
  }
  if (outcome.kind === 'not-trusted') throw untrustedFailure(context, outcome.message);
  if (outcome.kind !== 'candidate') {
    throw new JobFailure('provisioning', `the kernel came up before, but not again: ${outcome.message}`);
  }
  await verify(context);
  await loadModules(context);
}
