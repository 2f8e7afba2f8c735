import { output, script } from '../../machine/command.js';
import { adviceOf } from '../../machine/errors.js';
import { formatSeconds } from '../../timing.js';
import { messageOf } from '../../error-message.js';
import { MachineChanged, checkRestored } from '../fingerprint.js';
import { disarmWatchdog, leaveCandidate } from '../candidate-boot.js';
import { bootFreshDisk } from '../fresh-disk.js';
import { functionCount, lossSince } from '../hardware.js';
import { releaseUpgrades } from '../held-upgrades.js';
import type { Booted } from '../machine-connection.js';
import { kernelPackageNote } from '../package-log.js';
import { harvestDumps } from '../kdump.js';
import { harvestPstore } from '../pstore.js';
import { isFenced, RecoveryLadder } from '../recovery-ladder.js';
import type { AttemptContext } from '../attempt-context.js';
import type { RestoreContext } from '../restore-context.js';
import { cleanMachine } from './clean.js';

/** Longest reason of a result, in characters; the controller takes no longer one. */
const REASON_MAX = 2000;

/** Build-id of the default kernel as it was found; null when it was not seen. */
function expectedBuildId(context: RestoreContext): string | null {
  return context.found.defaultKernel?.buildId ?? null;
}

/** `restored` null: a newer attempt has the machine, on this or another agent, and restores it. */
export interface Restoration {
  restored: boolean | null;
  detail: string;
}

/** The stage: puts the machine back, and reports it as a result of the farm. Resolves to whether it is as it was found. */
export async function restore(context: AttemptContext): Promise<Restoration> {
  context.kernelLog.detach();
  const { pstore, dumps } = context.spool.record;
  context.harvest = async (session, signal) => {
    if (pstore !== null) await harvestPstore(context, session, pstore, signal);
    if (dumps !== null) await harvestDumps(context, session, dumps, signal);
  };
  const at = performance.now();
  const fromSeq = context.serial.next;
  const { restored, detail } = await putBack(context);
  context.emitFarmResult('restore', {
    status: restored === null ? 'skip' : restored ? 'pass' : 'fail',
    reason: restored === true ? null : detail.slice(0, REASON_MAX),
    durationMs: performance.now() - at,
    signature: null,
    log: context.serialRange(fromSeq),
  });
  return { restored, detail };
}

/**
 * Puts the machine back: a fresh disk where it has one that can be reset, else default kernel, our files and boot
 * entry gone. Runs whatever happened before, with or without a lease, on a deadline of its own. Resolves to whether
 * the machine is as it was found; never rejects.
 */
export async function putBack(context: RestoreContext): Promise<Restoration> {
  context.guard.beginRestore();
  context.connection.expectBoot();
  const deadline = new AbortController();
  const { pace } = context;
  const ladder = RecoveryLadder.back(context);
  // First it is left in the usual way.
  const limitMs = pace.restoreMs + context.recoverMs + ladder.longestMs;
  const timer = setTimeout(
    () => deadline.abort(new Error(`restore ran past its limit of ${formatSeconds(limitMs)}`)),
    limitMs,
  );
  try {
    return { restored: true, detail: await restoreByLadder(context, ladder, deadline.signal) };
  } catch (error) {
    if (isFenced(error)) return { restored: null, detail: adviceOf(error) };
    const detail = `${context.machine.name} was not restored: ${adviceOf(error) || messageOf(error)}`;
    return { restored: false, detail };
  } finally {
    clearTimeout(timer);
    context.connection.leave();
  }
}

/**
 * Tries without a reset, then climbs. A machine whose files changed is not reset: that mends nothing. When no rung helps, the error
 * says what was tried and how each ended.
 */
async function restoreByLadder(context: RestoreContext, ladder: RecoveryLadder, signal: AbortSignal): Promise<string> {
  for (;;) {
    try {
      return await restoreOnce(context, signal);
    } catch (error) {
      if (signal.aborted || isFenced(error) || error instanceof MachineChanged) throw withTried(error, ladder);
      if (error instanceof DevicesLost) ladder.keepHardest();
      const climbed = await ladder.climb(adviceOf(error), signal).catch((cut: unknown) => {
        throw withTried(cut, ladder);
      });
      if (climbed === null) throw withTried(error, ladder);
    }
  }
}

/** What was wrong in the end, with all that was done about it. */
function withTried(error: unknown, { tried }: RecoveryLadder): unknown {
  if (tried === '' || isFenced(error)) return error;
  return new Error(`${adviceOf(error)}; tried: ${tried}`, { cause: error });
}

/** A reset does not bring every device back. */
class DevicesLost extends Error {
  override readonly name = 'DevicesLost';
}

async function restoreOnce(context: RestoreContext, signal: AbortSignal): Promise<string> {
  return context.machine.disk === null ? restoreInPlace(context, signal) : restoreOnFreshDisk(context, signal);
}

/** All that the attempt wrote goes with the disk: there is nothing to remove, and nothing to ask the candidate for. */
async function restoreOnFreshDisk(context: RestoreContext, signal: AbortSignal): Promise<string> {
  await assertNotTaken(context, signal);
  context.note(`restore: ${context.machine.name} gets a fresh disk`);
  const { kernel, session } = await bootFreshDisk(context, signal);
  await disarmWatchdog(context, session);
  await judgeDefault(context, { kernel, session }, signal);
  // The fence went with the old disk; an older attempt is to find it again.
  await context.guard.claim(session, signal);
  return `${kernel.release} runs on a fresh disk`;
}

/**
 * Without a lease the machine may have been given to a newer attempt, whose disk is not ours to throw away: the
 * machine has its fence. Throws MachineError('fenced') then; a machine that does not answer is reset.
 */
async function assertNotTaken(context: RestoreContext, signal: AbortSignal): Promise<void> {
  if (context.guard.holdsLease()) return;
  try {
    const { session } = await context.connection.reach(context.pace.reachMs, signal);
    await output(session, script('fence-check', {}, 'true'), { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (isFenced(error)) throw error;
    context.note(`restore: the fence could not be read: ${adviceOf(error)}`);
  }
}

async function restoreInPlace(context: RestoreContext, signal: AbortSignal): Promise<string> {
  const { connection, pace, machine } = context;
  const expected = expectedBuildId(context);
  let { kernel } = await connection.reach(pace.reachMs, signal);
  await disarmWatchdog(context, connection.require());
  if (kernel.nonce !== null || (expected !== null && kernel.buildId !== expected)) {
    ({ kernel } = await leaveCandidate(context, { session: connection.require(), kernel }, signal));
  }
  await judgeDefault(context, { kernel, session: connection.require() }, signal);
  await cleanMachine(machine, connection.require(), signal);
  const pending = await machine.boot.pending(connection.require());
  if (pending !== null) throw new Error(`the next boot would take "${pending}" instead of the default`);
  await checkRestored(context, kernel, signal);
  await releaseUpgrades(connection.require(), signal);
  return `${kernel.release} runs, nothing of ours is left`;
}

/**
 * Reports the kernel that runs in the end; throws unless it is the default one that was found, on a machine that has
 * all the devices that it had.
 */
async function judgeDefault(context: RestoreContext, { kernel, session }: Booted, signal: AbortSignal): Promise<void> {
  const expected = expectedBuildId(context);
  const right = kernel.nonce === null && (expected === null || kernel.buildId === expected);
  const { release, buildId, bootId, nonce, commandLine } = kernel;
  const replaced = right || nonce !== null ? '' : await kernelPackageNote(session, signal);
  const detail = right ? null : `expected build-id ${expected ?? 'of a default kernel'}, found ${buildId}${replaced}`;
  context.noteKernel({ phase: 'default-after', release, buildId, bootId, nonce, proven: right, detail, commandLine });
  if (!right) throw new Error(`another kernel than before runs: ${release}, ${detail ?? ''}`);
  await context.harvest?.(session, signal);
  const { hardware } = context.found;
  if (hardware === null) return;
  const loss = await lossSince(hardware, session, context.pace, signal);
  if (loss === null) return context.note(`restore: all ${functionCount(hardware)} PCI functions of before are there`);
  throw new DevicesLost(
    `${context.machine.name} lost devices: ${loss}; switch it off and on again (a reset is not enough for some), then activate it`,
  );
}
