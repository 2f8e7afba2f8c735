import { MachineError, adviceOf } from '../../machine/errors.js';
import { formatSeconds } from '../../timing.js';
import { messageOf } from '../../journal.js';
import type { TestBench } from '../test-bench.js';
import { cleanMachine } from './clean.js';

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
 * Puts the machine back: default kernel, our files and boot entry gone. Runs whatever happened
 * before, with or without a lease, on a deadline of its own. Resolves to whether the machine is as it
 * was found.
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
      reason: restored === true ? null : detail,
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
      if (deadline.signal.aborted || bench.machine.power === null || isFenced(error)) throw error;
      bench.note(`restore: ${adviceOf(error)}; once more after a reset`);
      bench.host.leave();
      await bench.machine.power.reset(deadline.signal);
      bench.host.forgetReboot();
      await bench.host.awaitBoot(null, () => bench.pace.recoverMs, deadline.signal);
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
  const { host, pace, machine } = bench;
  const expected = expectedBuildId(bench);
  let { kernel } = await host.reach(pace.reachMs, signal);
  if (kernel.nonce !== null || (expected !== null && kernel.buildId !== expected)) {
    bench.note(`restore: ${machine.name} runs ${kernel.release}; rebooting to its default kernel`);
    await host.reboot(signal);
    ({ kernel } = await host.awaitBoot(kernel.bootId, () => pace.recoverMs, signal));
  }
  const right = kernel.nonce === null && (expected === null || kernel.buildId === expected);
  const { release, buildId, bootId, nonce, commandLine } = kernel;
  const detail = right ? null : `expected build-id ${expected ?? 'of a default kernel'}, found ${buildId}`;
  bench.emit({
    type: 'kernel',
    sighting: { phase: 'default-after', release, buildId, bootId, nonce, proven: right, detail, commandLine },
  });
  if (!right) throw new Error(`another kernel than before runs: ${release}, ${detail ?? ''}`);
  await cleanMachine(machine, host.require(), signal);
  const pending = await machine.boot.pending(host.require());
  if (pending !== null) throw new Error(`the next boot would take "${pending}" instead of the default`);
  return `${release} runs, nothing of ours is left`;
}
