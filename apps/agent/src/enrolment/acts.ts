import { randomBytes } from 'node:crypto';
import { type MachineCheck, plainText } from '@peerlab/contracts';
import { lossSince, readHardware } from '../job/hardware.js';
import type { Booted } from '../job/machine-connection.js';
import { inTime, type PowerOrder } from '../job/power-order.js';
import { listDumps, newDumps } from '../job/kdump.js';
import { clearPstore, listPstore } from '../job/pstore.js';
import { output, script } from '../machine/command.js';
import { adviceOf, MachineError } from '../machine/errors.js';
import type { PowerWay } from '../machine/power-ways.js';
import type { Console, ConsoleFollower, Session } from '../machine/protocols.js';
import { DeadlinePassed, formatSeconds, until } from '../timing.js';
import type { ActingOn } from './acting-on.js';
import { check } from './check.js';
import { installDefaultAsCandidate } from './harmless-candidate.js';
import { bringBack, crashAndAwait } from './ordered-crash.js';
import { removeResigned } from './resigned-image.js';

/** How long a line of the kernel's log may take to the record of the console. */
const ECHO_MS = 30_000;
const ECHO_POLL_MS = 50;
/**
 * Writes a line into the kernel's log and waits for it on the console. A kernel that does not print there by itself is made to, and
 * is left as it was.
 */
export async function proveConsole(acting: ActingOn): Promise<MachineCheck> {
  const { machine, connection, pace, signal, note } = acting;
  const { console } = machine;
  if (console === null)
    return check('console-echo', 'warn', 'no console is configured: nothing to prove', 'configure console: for it');
  const { session } = await connection.reach(pace.reachMs, signal);
  const start = await console.starter?.start(session, signal);
  if (start?.prints === false)
    return check(
      'console-echo',
      'fail',
      `its kernel prints nothing to the console: ${start.why}`,
      'mend that, or configure a serial console',
    );
  if (start !== undefined) note(start.how);
  try {
    return await awaitEcho(acting, console, session);
  } finally {
    if (start?.began === true) {
      await console.starter
        ?.stop(session)
        .catch((error: unknown) => note(`what let its kernel print to the console is still there: ${adviceOf(error)}`));
    }
  }
}

async function awaitEcho({ signal }: ActingOn, console: Console, session: Session): Promise<MachineCheck> {
  const marker = `peerlab-console-${randomBytes(8).toString('hex')}`;
  let isSeen = false;
  const follower = await console.follow('end', { onLine: (line) => (isSeen ||= line.includes(marker)) });
  const at = performance.now();
  try {
    // Critical: above the level that "quiet" leaves on the console.
    await output(session, script('console-echo', { marker }, `echo '<2>${marker}' >/dev/kmsg`), { signal });
    await until('the line on the console', () => (isSeen || follower.partial.includes(marker) ? true : undefined), {
      everyMs: ECHO_POLL_MS,
      timeoutMs: ECHO_MS,
      signal,
    });
    return check(
      'console-echo',
      'pass',
      `a line of its kernel's log was on the console after ${formatSeconds(performance.now() - at)}`,
    );
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof DeadlinePassed)) throw error;
    const problem = console.problem?.() ?? null;
    return check(
      'console-echo',
      'fail',
      `a line that its kernel logged was not on the console within ${formatSeconds(ECHO_MS)}${problem === null ? '' : ` (${problem})`}`,
      console.starter === undefined
        ? 'boot the default kernel with console= for the port that is recorded (such as console=ttyS0,115200), and look whether the record is of this machine'
        : 'look whether the record is of this machine, and whether a firewall keeps what it sends from the agent',
    );
  } finally {
    await follower.stop();
  }
}

/**
 * Takes its power away and gives it back, or resets it where the driver has no cycle.
 * @param way the one of its ways that is tried; null = it has none
 */
export async function provePower(acting: ActingOn, way: PowerWay | null): Promise<MachineCheck> {
  const { machine, connection, pace, signal, note } = acting;
  if (way === null)
    return check('power-cycle', 'warn', 'no power driver is configured: nothing to prove', 'configure power: for it');
  const { label, by, power } = way;
  const name = label === null ? 'power-cycle' : label.replace('power ', 'power-cycle-');
  const before = await connection.reach(pace.reachMs, signal);
  const hardware = await readHardware(before.session, signal);
  await output(before.session, script('sync', {}, 'sync'), { signal });
  const what = `${power.cycle === null ? 'a reset' : 'a power cycle'}${by}`;
  note(`${what} of ${machine.name}`);
  connection.leave();
  const at = performance.now();
  try {
    const order: PowerOrder = power.cycle ?? ((stop) => power.reset(stop));
    await inTime({ pace, guard: null }, order, signal);
    connection.forgetReboot();
    const limitMs = (machine.firmwareMs ?? pace.firmwareMs) + pace.recoverMs;
    const after = await connection.awaitBoot(before.kernel.bootId, () => limitMs, signal);
    const took = bootTime(acting, at);
    const loss = await lossSince(hardware, after.session, pace, signal);
    if (loss !== null)
      return check(
        name,
        'fail',
        `after ${what} the machine had lost: ${loss}`,
        'look at the machine; it would not be used after a job either',
      );
    return check(name, 'pass', `it answered ${took} after ${what}, with all its devices`);
  } catch (error) {
    signal.throwIfAborted();
    return check(
      name,
      'fail',
      `${what}: ${adviceOf(error)}`,
      'look whether power: speaks to this machine, and whether it boots by itself',
    );
  }
}

/** Tells how long a boot took that was ordered then. */
function bootTime({ onBoot }: ActingOn, orderedAt: number): string {
  const tookMs = performance.now() - orderedAt;
  onBoot(tookMs);
  return formatSeconds(tookMs);
}

/**
 * Boots its own default kernel once as if it were a candidate, lets that crash, and waits for the default to come back
 * by itself: what a job relies on when a kernel under test fails. Leaves the machine on its default kernel.
 */
export async function proveFallback(acting: ActingOn): Promise<MachineCheck> {
  const { machine, connection, pace, signal, note } = acting;
  const before = await connection.reach(pace.reachMs, signal);
  const older = await olderCrashes(before.session, signal);
  const nonce = randomBytes(16).toString('hex');
  const limitMs = (machine.firmwareMs ?? pace.firmwareMs) + pace.recoverMs;
  let follower: ConsoleFollower | undefined;
  let refusal: string | null = null;
  try {
    const signer = await installDefaultAsCandidate(machine, before, nonce, signal);
    const signed = signer === null ? '' : `, signed with ${signer.certificateFile}`;
    await machine.boot.selectOnce(before.session);
    note(`${machine.name} boots its default kernel once, under the name of a candidate${signed}`);
    follower = await machine.console?.follow('end', { onLine: (line) => (refusal ??= refusalOf(machine, line)) });
    const at = performance.now();
    await connection.reboot(signal);
    const candidate = await connection
      .awaitBoot(before.kernel.bootId, () => limitMs, signal)
      .catch((error: unknown) => afterNoBoot(acting, limitMs, error));
    const up = bootTime(acting, at);
    await follower?.stop();
    if (candidate.kernel.nonce !== nonce) return notTaken(acting, candidate, refusal);
    note(`it came up after ${up}; now it crashes on purpose`);
    const back = await crashAndAwait(acting, candidate, limitMs);
    if (back.kernel.nonce !== null)
      return check(
        'fallback',
        'fail',
        'after a crash the machine booted the candidate again',
        'look at the selection of the boot loader: it is not cleared at boot',
      );
    return check(
      'fallback',
      'pass',
      `the entry booted once${signed} (${up}); after a crash the default kernel came back by itself`,
    );
  } catch (error) {
    signal.throwIfAborted();
    return check(
      'fallback',
      'fail',
      adviceOf(error),
      'bring the machine back to its default kernel, mend this, and check again',
    );
  } finally {
    await follower?.stop();
    await tidy(acting, older);
  }
}

/** No kernel answered after the one-shot reboot: the machine is brought back, so that a failed check does not leave it away. */
async function afterNoBoot(acting: ActingOn, limitMs: number, cause: unknown): Promise<never> {
  if (!(cause instanceof DeadlinePassed)) throw cause;
  const { how } = await bringBack(acting, limitMs);
  throw new MachineError(
    'boot-select',
    `booted once by the selected entry, ${acting.machine.name} did not answer: ${cause.message}; ${how}`,
    'look at its console',
    cause,
  );
}

/** Why the loader or the firmware did not trust an image, from a line of the console; null = that line does not say so. */
function refusalOf({ boot }: ActingOn['machine'], line: string): string | null {
  const found = boot.readLine(plainText(line));
  if (found?.kind === 'not-loaded') return found.untrusted ?? null;
  return found?.kind === 'error' && found.isUntrusted === true ? found.message : null;
}

/** The machine came back with its default kernel. @param refusal what the loader said of the signature */
async function notTaken({ machine }: ActingOn, { session }: Booted, refusal: string | null): Promise<MachineCheck> {
  if (refusal !== null)
    return check(
      'fallback',
      'fail',
      `${machine.boot.loader} refused the image for its signature: ${refusal}`,
      "look whether the site's certificate was revoked on this machine (dbx, MOK)",
    );
  const pending = await machine.boot.pending(session);
  const why =
    pending === null
      ? `${machine.boot.loader} used up the selection and did not take the entry`
      : `the selection still stands: ${machine.boot.loader} reads it from another place than the system writes it to`;
  return check(
    'fallback',
    'fail',
    `the machine booted its default kernel instead of the selected entry; ${why}`,
    `look at the configuration of ${machine.boot.loader}`,
  );
}

/** What lies on the machine of crashes, by `listPstore` and `listDumps`; null = that could not be read. */
interface OlderCrashes {
  records: readonly string[] | null;
  dumps: readonly string[] | null;
}

async function olderCrashes(session: Session, signal: AbortSignal): Promise<OlderCrashes> {
  const records = await listPstore(session, signal).catch(() => null);
  const dumps = await listDumps(session, signal).catch(() => null);
  signal.throwIfAborted();
  return { records, dumps };
}

/**
 * Nothing of the proof stays behind, also after a failure, and when the person stops it; of a dump that kdump saved the person is told.
 * @param older stays; where it is not known, what the crash left cannot be told apart and stays, too
 */
async function tidy({ machine, connection, pace, note }: ActingOn, older: OlderCrashes): Promise<void> {
  const limitMs = (machine.firmwareMs ?? pace.firmwareMs) + pace.recoverMs;
  const signal = AbortSignal.timeout(2 * limitMs + pace.reachMs);
  try {
    const { session, kernel } = await connection.reach(pace.reachMs, signal);
    await machine.boot.remove(session);
    await removeResigned(session);
    let own = session;
    if (kernel.nonce !== null) {
      await connection.reboot(signal);
      ({ session: own } = await connection.awaitBoot(kernel.bootId, () => limitMs, signal));
    }
    if (older.records !== null) await clearPstore(own, older.records, signal);
    if (older.dumps === null) return;
    for (const place of newDumps(await listDumps(own, signal), older.dumps))
      note(`kdump saved the crash on order in ${place} of ${machine.name}; it may be removed there`);
  } catch (error) {
    note(`what the check left on the machine could not be removed: ${adviceOf(error)}`);
  }
}
