import { JobFailure } from '../failure.js';
import { holdUpgrades } from '../held-upgrades.js';
import { identifyKernel } from '../kernel-identity.js';
import type { AttemptContext } from '../attempt-context.js';
import { messageOf } from '../../error-message.js';
import { whyOtherCommandLine } from '../command-line.js';
import { type DeviceErrors, readDeviceErrors } from '../device-errors.js';
import type { Session } from '../../machine/protocols.js';
import { isProven } from './boot.js';

/** Configurations that are remembered of a machine. */
const CONFIGS_KEPT = 20;

function rememberConfig(context: AttemptContext): void {
  const { records, machine, work } = context;
  const { sha256 } = work.manifest.config;
  try {
    const known = records?.read(machine.name).bootedConfigs ?? [];
    if (known.at(-1) === sha256) return;
    const bootedConfigs = [...known.filter((config) => config !== sha256), sha256].slice(-CONFIGS_KEPT);
    records?.update(machine.name, { bootedConfigs });
  } catch (error) {
    context.note(`the record of ${machine.name} could not be written: ${messageOf(error)}`);
  }
}

/** null = they could not be read, which costs only the comparison. */
async function deviceErrorsOf(context: AttemptContext, session: Session): Promise<DeviceErrors | null> {
  try {
    return await readDeviceErrors(session, context.signal);
  } catch (error) {
    context.signal.throwIfAborted();
    context.note(`verify: the counters of device errors could not be read: ${messageOf(error)}`);
    return null;
  }
}

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
  const changed = whyOtherCommandLine(context.spool.record.commandLine, commandLine);
  if (changed !== null) throw new JobFailure('infrastructure', `${context.machine.name}: ${changed}`);
  const other = (await context.machine.boot.whyOther?.(session)) ?? null;
  if (other !== null) context.note(`verify: the candidate runs, but ${other}`);
  context.candidate = kernel;
  rememberConfig(context);
  // What was held went with the kernel that held it.
  await holdUpgrades(session, context.machine.name, signal);
  context.deviceErrors = await deviceErrorsOf(context, session);
  await context.kernelLog.attach(session, kernel);
  return `nonce, build-id and boot_id agree: ${release}, ${buildId.slice(0, 12)}…`;
}
