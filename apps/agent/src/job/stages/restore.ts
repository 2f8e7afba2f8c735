import { output, script } from '../../machine/command.js';
import { MachineError, adviceOf } from '../../machine/errors.js';
import { powerWays } from '../../machine/power-ways.js';
import { DeadlinePassed, formatSeconds } from '../../timing.js';
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
import type { AttemptContext } from '../attempt-context.js';
import type { RestoreContext } from '../restore-context.js';
import { cleanMachine } from './clean.js';

/** Longest reason of a result, in characters; the controller takes no longer one. */
const REASON_MAX = 2000;

/** Boots of one restore: from the candidate, by sysrq, after a reset, after a time without power, and once more. */
const BOOTS = 5;
/** More of them, for each further way to power. */
const BOOTS_PER_WAY = 2;

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
  const { pace, machine, firmware } = context;
  const moreMs = machine.otherPower.length * BOOTS_PER_WAY * (pace.powerMs + context.recoverMs);
  const limitMs = pace.restoreMs + BOOTS * firmware.allowanceMs + moreMs;
  const timer = setTimeout(
    () => deadline.abort(new Error(`restore ran past its limit of ${formatSeconds(limitMs)}`)),
    limitMs,
  );
  try {
    return { restored: true, detail: await restoreByLadder(context, deadline.signal) };
  } catch (error) {
    if (isFenced(error)) return { restored: null, detail: adviceOf(error) };
    const detail = `${context.machine.name} was not restored: ${adviceOf(error) || messageOf(error)}`;
    return { restored: false, detail };
  } finally {
    clearTimeout(timer);
    context.connection.leave();
  }
}

const isFenced = (error: unknown): boolean => error instanceof MachineError && error.kind === 'fenced';

/**
 * Tries without a reset, then climbs: each rung is harder than the one before, and the last of a way to power is a time without it,
 * which some devices need to come back. A machine whose files changed is not reset: that mends nothing. When no rung helps, the error
 * says what was tried and how each ended.
 */
async function restoreByLadder(context: RestoreContext, signal: AbortSignal): Promise<string> {
  let rungs = rungsOf(context);
  const tried: string[] = [];
  for (;;) {
    try {
      return await restoreOnce(context, signal);
    } catch (error) {
      if (signal.aborted || isFenced(error) || error instanceof MachineChanged) throw withTried(error, tried);
      // A kernel that boots again brings no device back, and a reset seldom does.
      if (error instanceof DevicesLost) rungs = rungs.filter(({ isHardest }) => isHardest);
      const isUp = await climb(context, rungs, { error, tried }, signal).catch((cut: unknown) => {
        throw withTried(cut, tried);
      });
      if (!isUp) throw withTried(error, tried);
    }
  }
}

/** What was wrong in the end, with all that was done about it. */
function withTried(error: unknown, tried: readonly string[]): unknown {
  if (tried.length === 0 || isFenced(error)) return error;
  return new Error(`${adviceOf(error)}; tried: ${tried.join('; ')}`, { cause: error });
}

/** Carries out the next rung that can be; false when none is left. */
async function climb(
  context: RestoreContext,
  rungs: Rung[],
  { error, tried }: { error: unknown; tried: string[] },
  signal: AbortSignal,
): Promise<boolean> {
  for (let rung = rungs.shift(); rung !== undefined; rung = rungs.shift()) {
    context.note(`restore: ${adviceOf(error)}; once more after ${rung.what}`);
    context.connection.leave();
    // A BMC may say yes and do nothing: the kernel that runs now is no answer to the rung.
    const before = context.connection.lastBootId;
    const at = performance.now();
    const ended = (how: string): void => {
      const text = `${rung.what}, ${how} after ${formatSeconds(performance.now() - at)}`;
      tried.push(text);
      context.note(`restore: ${text}`);
    };
    try {
      if (rung.act !== null) await rung.act(signal);
    } catch (failed) {
      if (signal.aborted) ended('which was cut off');
      signal.throwIfAborted();
      if (isFenced(failed)) throw failed;
      ended(`which failed (${adviceOf(failed)})`);
      continue;
    }
    // A fresh disk awaits its own boot.
    if (rung.act === null) return true;
    context.connection.forgetReboot();
    try {
      const { kernel } = await context.connection.awaitBoot(before, () => context.recoverMs, signal);
      ended(`${kernel.release} answers`);
    } catch (late) {
      if (signal.aborted) ended('cut off while it was awaited');
      signal.throwIfAborted();
      if (isFenced(late)) throw late;
      ended(`no answer (${adviceOf(late)})`);
      // What comes next would only wait for it again.
      if (rungs.length > 0) continue;
    }
    return true;
  }
  return false;
}

interface Rung {
  what: string;
  /** null = what is tried next does it itself. */
  act: ((signal: AbortSignal) => Promise<void>) | null;
  /** The hardest of its way to power: what may bring a lost device back. */
  isHardest: boolean;
}

/** What there is on this machine, the gentlest first; of several ways to its power, all that one can before the next one. */
function rungsOf(context: RestoreContext): Rung[] {
  const { power, disk } = context.machine;
  const ways = powerWays(context.machine).flatMap(({ by, power: way }): Rung[] => {
    const { cycle } = way;
    const order = (what: string, act: PowerOrder, isHardest: boolean): Rung => ({
      what: `${what}${by}`,
      act: (signal) => inTime(context, act, signal),
      isHardest,
    });
    return [
      // A fresh disk begins with a reset of its own.
      ...(disk !== null && way === power ? [] : [order('a reset', (stop) => way.reset(stop), cycle === null)]),
      ...(cycle === null ? [] : [order('a time without power', cycle, true)]),
    ];
  });
  if (disk !== null) return [{ what: 'a reset', act: null, isHardest: (power?.cycle ?? null) === null }, ...ways];
  return [{ what: 'a reboot by sysrq', act: (signal) => rebootBySysrq(context, signal), isHardest: false }, ...ways];
}

type PowerOrder = (signal?: AbortSignal) => Promise<void>;

/** A driver that never ends keeps no other rung from being tried. */
async function inTime({ pace }: RestoreContext, order: PowerOrder, signal: AbortSignal): Promise<void> {
  const late = new AbortController();
  const passed = new DeadlinePassed('what the power driver was told', pace.powerMs);
  const timer = setTimeout(() => late.abort(passed), pace.powerMs);
  const stop = AbortSignal.any([signal, late.signal]);
  const ends = new Promise<never>((_, reject) => {
    stop.addEventListener('abort', () => reject(stop.reason as Error), { once: true });
  });
  try {
    await Promise.race([order(stop), ends]);
  } finally {
    clearTimeout(timer);
  }
}

/** Of the time for a machine to answer: it was waited for just before. */
const SYSRQ_REACH = 0.25;

/** Synced and read-only first: GRUB reads ext4 without its journal. The shell answers before the kernel is gone. */
const SYSRQ = `[ -w /proc/sysrq-trigger ] || { echo "/proc/sysrq-trigger cannot be written" >&2; exit 1; }
nohup sh -c 'sleep 0.2; echo 1 >/proc/sys/kernel/sysrq; for key in s u; do echo $key >/proc/sysrq-trigger; sleep 2; done
echo b >/proc/sysrq-trigger' >/dev/null 2>&1 </dev/null &`;

/** A kernel that answers and cannot be left in the usual way: no program of it takes part in this. */
async function rebootBySysrq({ connection, pace, recoverMs }: RestoreContext, signal: AbortSignal): Promise<void> {
  // The kernel that was told to reboot, and did not, is the one that is looked for.
  connection.forgetReboot();
  const { kernel, session } = await connection.reach(pace.reachMs * SYSRQ_REACH, signal);
  await output(session, script('sysrq-reboot', {}, SYSRQ), { signal });
  connection.leave();
  connection.forgetReboot();
  await connection.awaitBoot(kernel.bootId, () => recoverMs, signal);
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
