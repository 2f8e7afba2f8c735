import { output, script } from '../../machine/command.js';
import { MachineError, adviceOf } from '../../machine/errors.js';
import { formatBytes } from '../../timing.js';
import { JobFailure } from '../failure.js';
import type { TestBench } from '../test-bench.js';
import { bootFreshDisk } from '../fresh-disk.js';
import { checkUnchanged } from '../fingerprint.js';
import { cleanMachine } from './clean.js';

const MARGIN_BYTES = 64 * 1024 * 1024;

export interface FreeSpace {
  mount: string;
  freeBytes: number;
}

/** Free space by mount point, from `df -Pk`. */
export function parseDf(text: string): FreeSpace[] {
  const rows = text
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns.length >= 6);
  const byMount = new Map(rows.map((columns) => [columns[5] ?? '', Number(columns[3]) * 1024]));
  return [...byMount].map(([mount, freeBytes]) => ({ mount, freeBytes }));
}

/** Why the bundle does not fit, with the remedy; null when it does. */
export function whyNoSpace(machine: string, space: readonly FreeSpace[], neededBytes: number): string | null {
  const tight = space.find((entry) => entry.freeBytes < neededBytes);
  if (tight === undefined) return null;
  return (
    `machine ${machine} has ${formatBytes(tight.freeBytes)} free in ${tight.mount}, needs ${formatBytes(neededBytes)}; ` +
    'remove old kernels under /boot and /lib/modules, or other large files there'
  );
}

/** Space for the bundle, its unpacked modules, and something for the system to breathe. */
export function neededBytes(bundleSizeBytes: number): number {
  return bundleSizeBytes * 2 + MARGIN_BYTES;
}

export async function checkFreeSpace(bench: TestBench): Promise<FreeSpace[]> {
  const text = await output(
    bench.host.require(),
    script('df', {}, 'mkdir -p /var/lib/peerlab; df -Pk /boot /lib/modules /var/lib/peerlab'),
    { signal: bench.signal },
  );
  const space = parseDf(text);
  const problem = whyNoSpace(bench.machine.name, space, neededBytes(bench.work.bundle.sizeBytes));
  if (problem !== null) throw new JobFailure('infrastructure', problem);
  return space;
}

/**
 * Why what the inventory says does not hold for a kernel under test: the default kernel, which it was
 * read on, lacks an argument that decides how the machine behaves (IOMMU mode, memory layout).
 */
export function whyOtherMachine(
  machine: { name: string; kernelArguments: readonly string[] },
  defaultCommandLine: string,
): string | null {
  const given = new Set(defaultCommandLine.trim().split(/\s+/));
  const lacking = machine.kernelArguments.filter((argument) => !given.has(argument));
  if (lacking.length === 0) return null;
  return (
    `the default kernel of ${machine.name} runs without ${lacking.join(' ')}, which the agent's config says it needs; ` +
    'add it to GRUB_CMDLINE_LINUX on that machine, run update-grub and reboot, or take it out of kernelArguments'
  );
}

/**
 * An earlier attempt left its disk: the agent or the lab died before it was restored. The machine is asked for the
 * fence of a newer attempt before its disk is thrown away, unless it does not answer at all.
 */
async function replaceUsedDisk(bench: TestBench): Promise<void> {
  const { host, signal, machine, pace } = bench;
  try {
    const { session } = await host.reach(pace.reachMs, signal);
    await bench.guard.claim(session, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof JobFailure || (error instanceof MachineError && error.kind === 'fenced')) throw error;
    bench.note(`prepare: ${adviceOf(error)}`);
  }
  bench.note(`prepare: an earlier attempt used the disk of ${machine.name}; starting on a fresh one`);
  bench.spool.remember({ touched: true });
  await bootFreshDisk(bench, signal);
}

/** Finds the machine on its default kernel, with space, safe one-shot boot and nothing of ours left. */
export async function prepare(bench: TestBench): Promise<string> {
  const { host, signal, pace } = bench;
  if (bench.machine.disk !== null && !(await bench.machine.disk.isFresh())) await replaceUsedDisk(bench);
  let { kernel } = await host.reach(pace.reachMs, signal);
  await bench.guard.claim(host.require(), signal);
  if (kernel.nonce !== null) {
    bench.note(
      `prepare: ${bench.machine.name} still runs a kernel under test (${kernel.release}); rebooting to the default`,
    );
    bench.spool.remember({ touched: true });
    await host.reboot(signal);
    ({ kernel } = await host.awaitBoot(kernel.bootId, () => pace.recoverMs, signal));
    if (kernel.nonce !== null) {
      throw new JobFailure(
        'infrastructure',
        `${bench.machine.name} boots a kernel under test by default; remove the peerlab entry from its boot menu`,
      );
    }
  }
  const problem = whyOtherMachine(bench.machine, kernel.commandLine);
  if (problem !== null) throw new JobFailure('infrastructure', problem);
  bench.defaultKernel = kernel;
  const { release, buildId, bootId, commandLine } = kernel;
  bench.spool.remember({ defaultKernel: { release, buildId, bootId } });
  bench.emit({
    type: 'kernel',
    sighting: {
      phase: 'default-before',
      release,
      buildId,
      bootId,
      nonce: null,
      proven: true,
      detail: null,
      commandLine,
    },
  });
  const session = host.require();
  try {
    await bench.machine.boot.preflight(session);
  } catch (error) {
    throw new JobFailure('infrastructure', `${bench.machine.name}: ${adviceOf(error)}`);
  }
  if (bench.machine.disk === null) {
    await cleanMachine(bench.machine, session, signal);
    await checkUnchanged(bench, kernel, signal);
  }
  const space = await checkFreeSpace(bench);
  const free = space.map((entry) => `${formatBytes(entry.freeBytes)} free in ${entry.mount}`).join(', ');
  return `default kernel ${release}, build-id ${buildId.slice(0, 12)}…, ${free}`;
}
