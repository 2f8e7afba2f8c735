import { quote, script } from '../machine/command.js';
import { MachineError, adviceOf } from '../machine/errors.js';
import { DeadlinePassed, until } from '../timing.js';
import { bootCandidate, resetToDefault } from './candidate-boot.js';
import { crashFailure, JobFailure } from './failure.js';
import { proveModule } from './module-proof.js';
import { untrustedFailure } from './stages/boot.js';
import { verify } from './stages/verify.js';
import type { AttemptContext } from './attempt-context.js';

/** Loads the bundle's modules on the candidate that runs. A crash in them ends the attempt. */
export async function loadModules(context: AttemptContext): Promise<void> {
  const { manifest } = context.work;
  const crashed = context.serial.watchFrom(context.serial.next);
  for (const name of manifest.modules) {
    try {
      const result = await context.connection
        .require()
        .exec(script('modprobe', { module: name }, `modprobe ${quote(name)}`), { signal: context.signal });
      if (result.code === 0) {
        await proveModule(context, name);
        continue;
      }
      throw new JobFailure(
        'harness',
        `modprobe ${name} failed on ${manifest.release}: ${result.stderr.trim() || `exit ${result.code}`}`,
      );
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
  if (manifest.modules.length > 0) context.note(`test: loaded ${manifest.modules.join(', ')}`);
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
    await resetToDefault(context, crashedBootId);
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
