import { DeadlinePassed, formatSeconds } from '../timing.js';
import { MachineError, adviceOf } from '../machine/errors.js';
import { type BootEvidence, BootEvidenceReader } from './boot-evidence.js';
import { JobFailure } from './failure.js';
import type { Session } from '../machine/protocols.js';
import type { Booted } from './machine-connection.js';
import { RecoveryLadder } from './recovery-ladder.js';
import type { AttemptContext } from './attempt-context.js';
import type { RestoreContext } from './restore-context.js';

/**
 * How an attempt to boot the candidate ended. In each but the first and `not-trusted` it was loaded, which a finding needs; for `no-root`
 * and `unreachable` its configuration may be the reason.
 */
type BootOutcome =
  | { kind: 'candidate'; booted: Booted; fromSeq: number }
  | { kind: 'crash'; signature: string; fromSeq: number }
  | { kind: 'no-root'; message: string; fromSeq: number }
  | { kind: 'not-loaded'; message: string; fromSeq: number }
  | { kind: 'not-trusted'; message: string; fromSeq: number }
  | { kind: 'fell-back'; message: string; fromSeq: number }
  | { kind: 'hung'; message: string; fromSeq: number }
  /** Programs ran on it, as the line `proof` says, and it never answered on the network. */
  | { kind: 'unreachable'; message: string; proof: string; fromSeq: number };

/**
 * Boots the candidate once, from the default kernel. Throws (infrastructure) when nothing proves that the candidate was
 * loaded, and when one that hung leaves the machine without an answer. After a crash the machine may not answer either.
 */
export async function bootCandidate(context: AttemptContext): Promise<BootOutcome> {
  const { connection, serial, signal, machine, work, firmware } = context;
  const { kernel: before, session } = await connection.reach(context.pace.reachMs, signal);
  await machine.boot.selectOnce(session);
  const fromSeq = serial.next;
  const rebootAt = performance.now();
  const bootMs = work.timeouts.bootSeconds * 1000;
  await armWatchdog(context, session, firmware.allowanceMs + bootMs + context.recoverMs);
  await connection.reboot(signal, machine.boot.reboot);
  const reader = new BootEvidenceReader(work.manifest.release, (text) => machine.boot.readLine(text));
  const newLines = serial.newFrom(fromSeq);
  let loadedAt: number | null = null;
  const evidenceNow = (): BootEvidence => {
    reader.push(newLines());
    const { evidence } = reader;
    if (evidence.kind !== 'nothing') loadedAt ??= performance.now();
    return evidence;
  };
  // The firmware has a limit of its own; the kernel's begins when the loader takes it. A console that shows the end of
  // the candidate promises the default kernel: wait for that one, unless the loader takes the candidate again and again.
  const patience = (): number => {
    const evidence = evidenceNow();
    if (reader.loops) return 0;
    const firmwareMs = loadedAt === null ? firmware.allowanceMs : loadedAt - rebootAt;
    return firmwareMs + bootMs + (isOver(evidence) ? context.recoverMs : 0);
  };
  let booted: Booted;
  try {
    booted = await connection.awaitBoot(before.bootId, patience, signal);
  } catch (error) {
    if (!(error instanceof DeadlinePassed)) throw error;
    evidenceNow();
    reader.pushLast(serial.lastWords(fromSeq) ?? '', Math.max(fromSeq, serial.next - 1));
    const { evidence } = reader;
    const lost = { fromSeq, silentMs: performance.now() - rebootAt };
    return afterDeadline(context, evidence, reader.loops, lost, evidenceNow);
  }
  const took = formatSeconds(performance.now() - rebootAt);
  await disarmWatchdog(context, booted.session);
  const evidence = evidenceNow();
  if (loadedAt !== null) firmware.learn(loadedAt - rebootAt);
  if (reader.isMarked) rememberMark(context);
  if (booted.kernel.nonce === work.nonce) {
    context.note(`boot: ${booted.kernel.release} answers ${took} after the reboot, boot_id ${booted.kernel.bootId}`);
    return { kind: 'candidate', booted, fromSeq };
  }
  if (booted.kernel.nonce !== null) throw otherCandidate(context, booted);
  context.note(`boot: the default kernel ${booted.kernel.release} came back ${took} after the reboot`);
  switch (evidence.kind) {
    case 'crash':
    case 'no-root':
    case 'not-loaded':
    case 'not-trusted':
      return evidence;
    case 'started':
    case 'user-space':
      return {
        kind: 'fell-back',
        message: 'it started and the machine reset without a crash report (triple fault, reset or watchdog)',
        fromSeq: evidence.fromSeq,
      };
    case 'loaded':
      return {
        kind: 'fell-back',
        message: `${machine.boot.loader} loaded it and the machine reset before it printed anything`,
        fromSeq: evidence.fromSeq,
      };
    case 'nothing':
      throw await notTaken(context, booted, evidence.crash);
  }
}

/** The machine resets itself when neither kernel comes up in time, should the agent be gone by then. */
async function armWatchdog({ machine, signal }: AttemptContext, session: Session, timeoutMs: number): Promise<void> {
  const { watchdog } = machine;
  if (watchdog === null) return;
  try {
    await watchdog.arm(session, Math.min(timeoutMs, watchdog.longestMs), signal);
  } catch (error) {
    signal.throwIfAborted();
    throw new JobFailure('infrastructure', `${machine.name}: ${watchdog.name} was not armed: ${adviceOf(error)}`);
  }
}

/** Whichever kernel answered: nothing is to be reset any more. */
export async function disarmWatchdog(context: RestoreContext, session: Session | null): Promise<void> {
  const { watchdog } = context.machine;
  if (watchdog === null) return;
  await watchdog.disarm(session).catch((error: unknown) => {
    context.note(`${watchdog.name} was not disarmed: ${adviceOf(error)}; it may reset ${context.machine.name}`);
  });
}

const isOver = (
  evidence: BootEvidence,
): evidence is Extract<BootEvidence, { kind: 'crash' | 'no-root' | 'not-loaded' | 'not-trusted' }> =>
  ['crash', 'no-root', 'not-loaded', 'not-trusted'].includes(evidence.kind);

/** The candidate or another kernel under test does not belong to this attempt: nothing is known about the candidate. */
function otherCandidate(context: AttemptContext, { kernel }: Booted): JobFailure {
  return new JobFailure(
    'infrastructure',
    `${context.machine.name} booted ${kernel.release} with the nonce ${kernel.nonce ?? 'none'} of another attempt`,
  );
}

/** From now on a boot without the loader's mark on the console is one that it did not take. */
function rememberMark({ records, machine }: AttemptContext): void {
  const { loader } = machine.boot;
  if (records === null || records.read(machine.name).markedBy === loader) return;
  records.update(machine.name, { markedBy: loader });
}

/**
 * Whether no candidate, not even one that prints nothing, could have left the machine like this: its selection was not read; or the
 * loader's mark is missing where it was seen before; or nothing has ever been booted here by it.
 */
function isMachinesOwn({ records, machine }: AttemptContext, pending: string | null): boolean {
  if (machine.console === null) return false;
  if (pending !== null) return true;
  // A console that shows nothing of a boot shows no sign of a candidate either that was loaded.
  if (records === null || machine.console.caveat !== undefined) return false;
  const { markedBy, bootedConfigs } = records.read(machine.name);
  return markedBy === machine.boot.loader || bootedConfigs.length === 0;
}

/** Nothing proves that the candidate was loaded: what is known of the boot loader's selection, and what to do. */
async function notTaken(context: AttemptContext, { session }: Booted, crash: string | null): Promise<JobFailure> {
  const { machine } = context;
  const { loader } = machine.boot;
  if (machine.console === null) {
    return new JobFailure(
      'infrastructure',
      `${machine.name} came back with its default kernel, and has no console that could say why; configure console: for it`,
    );
  }
  const pending = await machine.boot.pending(session);
  const selection =
    pending === null
      ? `${loader} used up the selection and did not take the entry; it may not have found it (another file, or another menu)`
      : `the selection still stands: ${loader} reads it from another place than the system writes it to`;
  const crashed = crash === null ? '' : `; the kernel before crashed on its way down: ${crash}`;
  const other = (await machine.boot.whyOther?.(session)) ?? null;
  const firmware = other === null ? '' : `; ${other}`;
  const { caveat } = machine.console;
  const blind = caveat === undefined ? '' : `; ${caveat}`;
  return new JobFailure(
    'infrastructure',
    `${machine.name} came back with its default kernel, and the console shows no sign of the candidate; ${selection}${firmware}${crashed}${blind}`,
    null,
    isMachinesOwn(context, pending) ? 'not-taken' : null,
  );
}

/** No kernel answered in time. */
async function afterDeadline(
  context: AttemptContext,
  evidence: BootEvidence,
  loops: boolean,
  lost: { fromSeq: number; silentMs: number },
  evidenceNow: () => BootEvidence,
): Promise<BootOutcome> {
  const { serial, machine } = context;
  const lastWords = serial.lastWords(lost.fromSeq);
  const limit = formatSeconds(lost.silentMs);
  const message =
    lastWords === null
      ? `silent for ${limit} after the reboot; nothing on the console`
      : `no answer within ${limit}; last serial line: ${lastWords}`;
  const { loader } = machine.boot;
  context.note(
    loops ? `boot: ${loader} takes the candidate at every boot; its selection is not cleared` : `boot: ${message}`,
  );
  if (isOver(evidence)) {
    // What the console proves stands, whether the machine comes back or not: restore tries again.
    await resetToDefault(context).catch((error: unknown) => {
      context.signal.throwIfAborted();
      context.note(`boot: ${adviceOf(error)}`);
    });
    return evidence;
  }
  if (evidence.kind !== 'nothing') {
    await resetToDefault(context);
    const fromSeq = Math.min(lost.fromSeq, Math.max(lost.fromSeq, serial.next - 1));
    if (evidence.kind === 'user-space') return { kind: 'unreachable', message, proof: evidence.message, fromSeq };
    return { kind: 'hung', message, fromSeq };
  }
  const crashed = evidence.crash === null ? '' : `, which crashed on its way down: ${evidence.crash}`;
  const booted = await resetMachine(context);
  if (booted.kernel.nonce === context.work.nonce) {
    context.note(`boot: the kernel before did not reboot by itself${crashed}; the candidate came up after the reset`);
    return { kind: 'candidate', booted, fromSeq: lost.fromSeq };
  }
  if (booted.kernel.nonce !== null) throw otherCandidate(context, booted);
  // A reset may have brought up the candidate, which did not answer, and what was harder the default kernel.
  const since = evidenceNow();
  if (isOver(since)) return since;
  if (since.kind === 'user-space')
    return { kind: 'unreachable', message, proof: since.message, fromSeq: since.fromSeq };
  if (since.kind !== 'nothing')
    return { kind: 'hung', message: 'no answer after a reset either', fromSeq: since.fromSeq };
  const isOwn = await machine.boot.pending(booted.session).then(
    (pending) => isMachinesOwn(context, pending),
    () => false,
  );
  const why = `neither ${loader}'s mark nor the candidate's first line is on the console`;
  throw new JobFailure(
    'infrastructure',
    `${machine.name} did not come up after the reboot, and ${why}: ${message}; the kernel before may have hung${crashed}`,
    null,
    isOwn ? 'fallback' : null,
  );
}

/**
 * A reset, or what is harder where that does not help, then whatever kernel answers; throws (infrastructure) when the machine stays
 * away, with all that was tried.
 */
async function resetMachine(context: AttemptContext, signal = context.signal): Promise<Booted> {
  const { machine } = context;
  if (machine.power === null) {
    throw new JobFailure(
      'infrastructure',
      `${machine.name} does not answer and has no power driver; reset it by hand, and configure power: for it`,
    );
  }
  context.note(`power: resetting ${machine.name}`);
  const ladder = RecoveryLadder.up(context);
  // It would reset the machine in the middle of this, or the kernel that comes up.
  await disarmWatchdog(context, null);
  const climbed = await context
    .uncounted(() => ladder.climb('', signal))
    .catch((error: unknown) => {
      signal.throwIfAborted();
      throw new JobFailure('infrastructure', `${machine.name} was not reset: ${adviceOf(error)}`);
    });
  if (climbed !== null && typeof climbed === 'object') {
    await disarmWatchdog(context, climbed.session);
    return climbed;
  }
  throw new JobFailure('infrastructure', `${machine.name} did not come back; tried: ${ladder.tried}`);
}

/** A reset, then the default kernel; throws (infrastructure) when the machine stays away. */
export async function resetToDefault(context: AttemptContext, signal = context.signal): Promise<Booted> {
  const booted = await resetMachine(context, signal);
  return booted.kernel.nonce === null ? booted : leaveCandidate(context, booted, signal);
}

/**
 * The machine runs a kernel under test where the default one was expected: the selection is cleared on the running
 * system, read back, and the machine is rebooted. Throws (infrastructure) when a kernel under test runs again.
 */
export async function leaveCandidate(context: RestoreContext, booted: Booted, signal: AbortSignal): Promise<Booted> {
  const { machine, connection } = context;
  const stage = context.doing;
  context.note(
    `${stage}: ${machine.name} runs ${booted.kernel.release}, ${booted.kernel.nonce === null ? 'another kernel than it was found with' : 'a kernel under test'}; rebooting to the default`,
  );
  try {
    await machine.boot.remove(booted.session);
    const pending = await machine.boot.pending(booted.session);
    if (pending !== null)
      context.note(`${stage}: the next boot would take "${pending}" although its selection was cleared`);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof MachineError && error.kind === 'fenced') throw error;
    // The kernel under test may refuse anything; the default kernel is asked again.
    context.note(`${stage}: the selection could not be cleared: ${adviceOf(error)}`);
  }
  await connection.reboot(signal);
  const back = await connection.awaitBoot(booted.kernel.bootId, () => context.recoverMs, signal);
  if (back.kernel.nonce === null) return back;
  throw new JobFailure(
    'infrastructure',
    `${machine.name} boots a kernel under test by default; remove the peerlab entry from its boot menu`,
  );
}
