import { JobFailure } from '../failure.js';
import { identifyKernel } from '../kernel-identity.js';
import type { AttemptContext } from '../attempt-context.js';
import { isProven } from './boot.js';

/** Proves that the kernel that runs is the one that was flashed; starts to follow its log. */
export async function verify(context: AttemptContext): Promise<string> {
  const { work, signal } = context;
  const session = context.connection.require();
  const kernel = await identifyKernel(session, signal);
  const wrong = [
    kernel.nonce === work.nonce ? null : `its command line has nonce ${kernel.nonce ?? 'none'}, not ${work.nonce}`,
    kernel.buildId === work.manifest.buildId
      ? null
      : `its build-id is ${kernel.buildId || 'missing'}, the bundle's is ${work.manifest.buildId}`,
    kernel.bootId === context.defaultKernel?.bootId ? 'its boot_id did not change' : null,
  ].filter((problem) => problem !== null);
  const detail = wrong.length === 0 ? null : wrong.join('; ');
  const { release, buildId, bootId, nonce, commandLine } = kernel;
  context.emit({
    type: 'kernel',
    sighting: {
      phase: 'candidate',
      release,
      buildId,
      bootId,
      nonce,
      proven: isProven(context, kernel),
      detail,
      commandLine,
    },
  });
  if (detail !== null) {
    context.emitFarmResult('boot', {
      status: 'fail',
      reason: `wrong kernel: ${detail}`,
      durationMs: null,
      signature: null,
      log: null,
    });
    throw new JobFailure('provisioning', `wrong kernel: ${release} runs, but ${detail}`);
  }
  context.candidate = kernel;
  await context.kernelLog.attach(session, kernel);
  return `nonce, build-id and boot_id agree: ${release}, ${buildId.slice(0, 12)}…`;
}
