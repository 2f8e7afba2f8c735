import { output, script } from '../../machine/command.js';
import { loadersInstead } from '../../machine/detect-loader.js';
import { MachineError, adviceOf } from '../../machine/errors.js';
import { powerWays } from '../../machine/power-ways.js';
import type { Session } from '../../machine/protocols.js';
import { DeadlinePassed, formatBytes, until } from '../../timing.js';
import { JobFailure } from '../failure.js';
import type { AttemptContext } from '../attempt-context.js';
import { leaveCandidate } from '../candidate-boot.js';
import { bootFreshDisk } from '../fresh-disk.js';
import { checkUnchanged } from '../fingerprint.js';
import { judgeBootPolicy, readBootPolicy } from '../boot-policy.js';
import { readHardware } from '../hardware.js';
import { describeWay, readWay, whyOtherWay } from '../way.js';
import { holdUpgrades } from '../held-upgrades.js';
import { listDumps } from '../kdump.js';
import { inFirmware, listPstore } from '../pstore.js';
import { cleanMachine } from './clean.js';

const MARGIN_BYTES = 64 * 1024 * 1024;

interface FreeSpace {
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
function neededBytes(bundleSizeBytes: number): number {
  return bundleSizeBytes * 2 + MARGIN_BYTES;
}

export async function checkFreeSpace(context: AttemptContext): Promise<FreeSpace[]> {
  const text = await output(
    context.connection.require(),
    script('df', {}, 'mkdir -p /var/lib/peerlab; df -Pk /boot /lib/modules /var/lib/peerlab'),
    { signal: context.signal },
  );
  const space = parseDf(text);
  const problem = whyNoSpace(context.machine.name, space, neededBytes(context.work.bundle.sizeBytes));
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
async function replaceUsedDisk(context: AttemptContext): Promise<void> {
  const { connection, signal, machine, pace } = context;
  try {
    const { session } = await connection.reach(pace.reachMs, signal);
    await context.guard.claim(session, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof JobFailure || (error instanceof MachineError && error.kind === 'fenced')) throw error;
    context.note(`prepare: ${adviceOf(error)}`);
  }
  context.note(`prepare: an earlier attempt used the disk of ${machine.name}; starting on a fresh one`);
  context.spool.updateRecord({ touched: true });
  await bootFreshDisk(context, signal);
}

/** One-shot boot is safe, and the tool that makes an initramfs is there; else throws with what the machine has instead. */
async function checkBoot({ machine }: AttemptContext, session: Session): Promise<void> {
  try {
    await machine.boot.preflight(session);
    await machine.initramfs?.preflight(session);
  } catch (error) {
    const instead = await loadersInstead(session, error);
    throw new JobFailure('infrastructure', `${machine.name}: ${adviceOf(error)}${instead}`);
  }
}

/** A watchdog that something else pats would reset a candidate which does not know of it. */
async function checkWatchdog({ machine, signal }: AttemptContext, session: Session): Promise<void> {
  const { watchdog } = machine;
  if (watchdog === null) return;
  const user = await watchdog.foreignUser(session, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    throw new JobFailure('infrastructure', `${machine.name}: ${watchdog.name} cannot be read: ${adviceOf(error)}`);
  });
  if (user === null) return;
  throw new JobFailure(
    'infrastructure',
    `${machine.name}: ${watchdog.name} is used by something else: ${user}; stop that, or take watchdog: out of the config`,
  );
}

/**
 * Power is what brings the machine back when its candidate hangs: a service processor that does not answer is found out
 * before anything is changed. Of several ways one that answers is enough.
 */
async function checkPower(context: AttemptContext): Promise<void> {
  const { machine, signal } = context;
  const { name } = machine;
  const ways = powerWays(machine);
  const silent: string[] = [];
  for (const { label, power } of ways) {
    const state = await power.state(signal).catch((error: unknown) => {
      signal.throwIfAborted();
      silent.push(`${label === null ? '' : `${label} (${power.name}): `}${adviceOf(error)}`);
    });
    if (state !== 'off') continue;
    throw new JobFailure(
      'infrastructure',
      `${label === null ? 'the power driver' : `${label} (${power.name})`} of ${name} says "off" of a machine that answers; correct power: in the config, it may speak to another machine`,
    );
  }
  if (silent.length > 0 && silent.length === ways.length) {
    throw new JobFailure(
      'infrastructure',
      `the power of ${name} cannot be asked for its state, so nothing could reset it: ${silent.join('; ')}`,
    );
  }
  for (const each of silent) context.note(`prepare: a way to the power of ${name} does not answer: ${each}`);
}

/**
 * The way between the devices may have changed since the inventory was read: a firmware update, a boot parameter, a hot plug. A
 * kernel would be judged by a path that is not there any more.
 */
async function checkWay(context: AttemptContext, session: Session): Promise<void> {
  const { machine, signal, work } = context;
  const way = await readWay(session, work.path, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    context.hasOtherHardware = true;
    throw new JobFailure(
      'infrastructure',
      `${machine.name}: the way between its devices cannot be read: ${adviceOf(error)}`,
    );
  });
  context.way = way;
  context.note(`prepare: ${describeWay(way)}`);
  const why = whyOtherWay(way, work.path);
  if (why === null) return;
  context.hasOtherHardware = true;
  throw new JobFailure(
    'infrastructure',
    `${machine.name}: the path was planned as ${work.path.kind}, and is another one by now: ${why}; its inventory is read again`,
  );
}

/** Its recorder may be about to connect: the agent has just started, or a BMC still holds a session that somebody left open. */
async function awaitConsole(context: AttemptContext): Promise<void> {
  const { machine, pace, signal } = context;
  const problem = (): string | null => machine.console?.problem?.() ?? null;
  const first = problem();
  if (first === null) return;
  context.note(`prepare: the console of ${machine.name} is not recorded: ${first}; it is waited for`);
  const isRecorded = (): true | undefined => (problem() === null ? true : undefined);
  try {
    await until('a record of the console', isRecorded, { everyMs: pace.pollMs, timeoutMs: pace.consoleMs, signal });
  } catch (error) {
    if (!(error instanceof DeadlinePassed)) throw error;
    throw new JobFailure('infrastructure', `the console of ${machine.name} is not recorded: ${problem() ?? first}`);
  }
}

/** Records of earlier crashes are not this attempt's. */
async function rememberCrashes(context: AttemptContext): Promise<void> {
  try {
    const pstore = await listPstore(context.connection.require(), context.signal);
    context.spool.updateRecord({ pstore });
    const held = inFirmware(pstore);
    if (held.length > 0) context.note(`prepare: the firmware holds records of an earlier crash: ${held.join(', ')}`);
  } catch (error) {
    context.signal.throwIfAborted();
    context.note(`prepare: the records of the firmware could not be listed: ${adviceOf(error)}`);
  }
  try {
    context.spool.updateRecord({ dumps: await listDumps(context.connection.require(), context.signal) });
  } catch (error) {
    context.signal.throwIfAborted();
    context.note(`prepare: the crashes that kdump has saved could not be listed: ${adviceOf(error)}`);
  }
}

/** Finds the machine on its default kernel, with space, safe one-shot boot and nothing of ours left. */
export async function prepare(context: AttemptContext): Promise<string> {
  const { connection, signal, pace } = context;
  if (context.machine.disk !== null && !(await context.machine.disk.isFresh())) await replaceUsedDisk(context);
  let { kernel } = await connection.reach(pace.reachMs, signal);
  await context.guard.claim(connection.require(), signal);
  if (kernel.nonce !== null) {
    context.spool.updateRecord({ touched: true });
    ({ kernel } = await leaveCandidate(context, { session: connection.require(), kernel }, signal));
  }
  const problem = whyOtherMachine(context.machine, kernel.commandLine);
  if (problem !== null) throw new JobFailure('infrastructure', problem);
  context.defaultKernel = kernel;
  const { release, buildId, bootId, commandLine } = kernel;
  context.spool.updateRecord({ defaultKernel: { release, buildId, bootId } });
  context.emit({
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
  await awaitConsole(context);
  await checkPower(context);
  const session = connection.require();
  context.spool.updateRecord({ hardware: await readHardware(session, signal) });
  await checkWay(context, session);
  await rememberCrashes(context);
  const permission = judgeBootPolicy(await readBootPolicy(session, signal), context.machine, commandLine);
  if (permission.kind === 'refused') {
    throw new JobFailure('infrastructure', `${context.machine.name}: ${permission.why}; ${permission.remedy}`);
  }
  if (permission.kind === 'signed') context.signsWith = permission.signer;
  if (permission.kind === 'signed' || !permission.isSure) context.note(`prepare: ${permission.why}`);
  await checkBoot(context, session);
  const held = await holdUpgrades(session, context.machine.name, signal);
  if (held.length > 0) context.note(`prepare: held until the end: ${held.join(', ')}`);
  await checkWatchdog(context, session);
  if (context.machine.disk === null) {
    await cleanMachine(context.machine, session, signal);
    await checkUnchanged(context, kernel, signal);
  }
  const space = await checkFreeSpace(context);
  const free = space.map((entry) => `${formatBytes(entry.freeBytes)} free in ${entry.mount}`).join(', ');
  return `default kernel ${release}, build-id ${buildId.slice(0, 12)}…, ${free}`;
}
