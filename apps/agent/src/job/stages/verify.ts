import { JobFailure } from '../failure.js';
import { holdUpgrades } from '../held-upgrades.js';
import { identifyKernel } from '../kernel-identity.js';
import type { AttemptContext } from '../attempt-context.js';
import { messageOf } from '../../error-message.js';
import { whyOtherCommandLine } from '../command-line.js';
import { type DeviceErrors, readDeviceErrors } from '../device-errors.js';
import { startConsole } from '../start-console.js';
import { describeWay, readWay, whyOtherUnderCandidate } from '../way.js';
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

/** The results are kept for the path and the IOMMU that the machine has under its own kernel: the candidate must have the same. */
async function checkWay(context: AttemptContext, session: Session): Promise<void> {
  const { machine, signal, work, way: before } = context;
  if (before === null) return;
  const now = await readWay(session, work.path, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    // A device that the candidate does not find is for the tests to tell.
    context.note(`verify: the way between the devices could not be read: ${messageOf(error)}`);
    return null;
  });
  if (now === null) return;
  const why = whyOtherUnderCandidate(before, now, work.path);
  if (why === null) return;
  context.note(`verify: ${describeWay(now)}`);
  throw new JobFailure(
    'infrastructure',
    `${machine.name}: the candidate connects its devices in another way than the machine's own kernel: ${why}; nothing was tested, ` +
      "its results would count for other hardware; say it on that kernel's command line (intel_iommu=on, iommu=pt in " +
      'GRUB_CMDLINE_LINUX), or make the configuration anew with peerlab machine configure',
  );
}

/**
 * Proves that the kernel that runs is the one that was flashed; starts to follow its log. Throws JobFailure (`infrastructure`) when it is
 * not proven, without a result of the boot.
 */
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
  // Whether another image was started, or this one shows what it is not: nothing proves that the candidate ran.
  if (detail !== null) {
    throw new JobFailure(
      'infrastructure',
      `${context.machine.name}: wrong kernel: ${release} runs, but ${detail}; nothing is known about the candidate; ` +
        `look for what replaces ${context.paths.kernel} or its boot entry there`,
    );
  }
  const changed = whyOtherCommandLine(context.spool.record.commandLine, commandLine);
  if (changed !== null) throw new JobFailure('infrastructure', `${context.machine.name}: ${changed}`);
  const other = (await context.machine.boot.whyOther?.(session)) ?? null;
  if (other !== null) context.note(`verify: the candidate runs, but ${other}`);
  context.candidate = kernel;
  rememberConfig(context);
  await checkWay(context, session);
  await startConsole(context);
  // What was held went with the kernel that held it.
  await holdUpgrades(session, context.machine.name, signal);
  context.deviceErrors = await deviceErrorsOf(context, session);
  await context.kernelLog.attach(session, kernel);
  return `nonce, build-id and boot_id agree: ${release}, ${buildId.slice(0, 12)}…`;
}
