import { output, script } from '../../machine/command.js';
import { MachineError, adviceOf } from '../../machine/errors.js';
import { formatSeconds } from '../../timing.js';
import { messageOf } from '../../error-message.js';
import { MachineChanged, checkRestored } from '../fingerprint.js';
import { bootFreshDisk } from '../fresh-disk.js';
import type { KernelIdentity } from '../kernel-identity.js';
import type { TestBench } from '../test-bench.js';
import { cleanMachine } from './clean.js';

/** Longest reason of a result, in characters; the controller takes no longer one. */
const REASON_MAX = 2000;

/** Build-id of the default kernel as it was found; null when the attempt ended before it was seen. */
function expectedBuildId(bench: TestBench): string | null {
  return bench.spool.memory.defaultKernel?.buildId ?? null;
}

/** `restored` null: a newer attempt has the machine, on this or another agent, and restores it. */
export interface Restoration {
  restored: boolean | null;
  detail: string;
}

/**
 * Puts the machine back: a fresh disk where it has one that can be reset, else default kernel, our files and boot
 * entry gone. Runs whatever happened before, with or without a lease, on a deadline of its own. Resolves to whether
 * the machine is as it was found.
 */
export async function restore(bench: TestBench): Promise<Restoration> {
  bench.guard.beginRestore();
  bench.kernelLog.detach();
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new Error(`restore ran past its limit of ${formatSeconds(bench.pace.restoreMs)}`)),
    bench.pace.restoreMs,
  );
  const at = performance.now();
  const fromSeq = bench.serial.next;
  const finish = (restored: boolean | null, detail: string): Restoration => {
    bench.emitFarmResult('restore', {
      status: restored === null ? 'skip' : restored ? 'pass' : 'fail',
      reason: restored === true ? null : detail.slice(0, REASON_MAX),
      durationMs: performance.now() - at,
      signature: null,
      log: bench.serialRange(fromSeq),
    });
    return { restored, detail };
  };
  try {
    try {
      return finish(true, await restoreOnce(bench, deadline.signal));
    } catch (error) {
      if (deadline.signal.aborted || isFenced(error) || error instanceof MachineChanged) throw error;
      const { power, disk } = bench.machine;
      if (power === null && disk === null) throw error;
      bench.note(`restore: ${adviceOf(error)}; once more after a reset`);
      bench.host.leave();
      // A fresh disk begins with a reset of its own.
      if (power !== null && disk === null) {
        await power.reset(deadline.signal);
        bench.host.forgetReboot();
        await bench.host.awaitBoot(null, () => bench.pace.recoverMs, deadline.signal);
      }
      return finish(true, await restoreOnce(bench, deadline.signal));
    }
  } catch (error) {
    if (isFenced(error)) return finish(null, adviceOf(error));
    return finish(false, `${bench.machine.name} was not restored: ${adviceOf(error) || messageOf(error)}`);
  } finally {
    clearTimeout(timer);
    bench.host.leave();
  }
}

const isFenced = (error: unknown): boolean => error instanceof MachineError && error.kind === 'fenced';

async function restoreOnce(bench: TestBench, signal: AbortSignal): Promise<string> {
  return bench.machine.disk === null ? restoreInPlace(bench, signal) : restoreOnFreshDisk(bench, signal);
}

/** All that the attempt wrote goes with the disk: there is nothing to remove, and nothing to ask the candidate for. */
async function restoreOnFreshDisk(bench: TestBench, signal: AbortSignal): Promise<string> {
  await assertNotTaken(bench, signal);
  bench.note(`restore: ${bench.machine.name} gets a fresh disk`);
  const { kernel, session } = await bootFreshDisk(bench, signal);
  judgeDefault(bench, kernel);
  // The fence went with the old disk; an older attempt is to find it again.
  await bench.guard.claim(session, signal);
  return `${kernel.release} runs on a fresh disk`;
}

/**
 * Without a lease the machine may have been given to a newer attempt, whose disk is not ours to throw away: the
 * machine has its fence. Throws MachineError('fenced') then; a machine that does not answer is reset.
 */
async function assertNotTaken(bench: TestBench, signal: AbortSignal): Promise<void> {
  if (bench.guard.holdsLease()) return;
  try {
    const { session } = await bench.host.reach(bench.pace.reachMs, signal);
    await output(session, script('fence-check', {}, 'true'), { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (isFenced(error)) throw error;
    bench.note(`restore: the fence could not be read: ${adviceOf(error)}`);
  }
}

async function restoreInPlace(bench: TestBench, signal: AbortSignal): Promise<string> {
  const { host, pace, machine } = bench;
  const expected = expectedBuildId(bench);
  let { kernel } = await host.reach(pace.reachMs, signal);
  if (kernel.nonce !== null || (expected !== null && kernel.buildId !== expected)) {
    bench.note(`restore: ${machine.name} runs ${kernel.release}; rebooting to its default kernel`);
    await host.reboot(signal);
    ({ kernel } = await host.awaitBoot(kernel.bootId, () => pace.recoverMs, signal));
  }
  judgeDefault(bench, kernel);
  await cleanMachine(machine, host.require(), signal);
  const pending = await machine.boot.pending(host.require());
  if (pending !== null) throw new Error(`the next boot would take "${pending}" instead of the default`);
  await checkRestored(bench, kernel, signal);
  return `${kernel.release} runs, nothing of ours is left`;
}

/** Reports the kernel that runs in the end; throws unless it is the default one that was found. */
function judgeDefault(bench: TestBench, kernel: KernelIdentity): void {
  const expected = expectedBuildId(bench);
  const right = kernel.nonce === null && (expected === null || kernel.buildId === expected);
  const { release, buildId, bootId, nonce, commandLine } = kernel;
  const detail = right ? null : `expected build-id ${expected ?? 'of a default kernel'}, found ${buildId}`;
  bench.emit({
    type: 'kernel',
    sighting: { phase: 'default-after', release, buildId, bootId, nonce, proven: right, detail, commandLine },
  });
  if (!right) throw new Error(`another kernel than before runs: ${release}, ${detail ?? ''}`);
}
