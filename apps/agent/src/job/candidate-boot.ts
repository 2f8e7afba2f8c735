import { DeadlinePassed, formatSeconds } from '../timing.js';
import { adviceOf } from '../machine/errors.js';
import { type BootEvidence, BootEvidenceReader } from './boot-evidence.js';
import { JobFailure } from './failure.js';
import type { Booted } from './machine-connection.js';
import type { AttemptContext } from './attempt-context.js';

/** How an attempt to boot the candidate ended. */
type BootOutcome =
  | { kind: 'candidate'; booted: Booted; fromSeq: number }
  | { kind: 'crash'; signature: string; fromSeq: number }
  | { kind: 'not-loaded'; message: string; fromSeq: number }
  | { kind: 'fell-back'; message: string; fromSeq: number }
  | { kind: 'hung'; message: string; fromSeq: number };

/**
 * Boots the candidate once, from the default kernel. Unless it comes up, the machine is on its
 * default kernel again when this returns; throws (infrastructure) when it is on none.
 */
export async function bootCandidate(context: AttemptContext): Promise<BootOutcome> {
  const { connection, serial, signal, machine, work } = context;
  const { kernel: before, session } = await connection.reach(context.pace.reachMs, signal);
  await machine.boot.selectOnce(session);
  const fromSeq = serial.next;
  const rebootAt = performance.now();
  const bootMs = work.timeouts.bootSeconds * 1000;
  await connection.reboot(signal);
  const reader = new BootEvidenceReader(work.manifest.release);
  const newLines = serial.newFrom(fromSeq);
  const evidenceNow = (): BootEvidence => {
    reader.push(newLines());
    return reader.evidence;
  };
  // A console that shows the end of the candidate promises the default kernel: wait for that one.
  const patience = (): number => (isOver(evidenceNow()) ? bootMs + context.pace.recoverMs : bootMs);
  let booted: Booted;
  try {
    booted = await connection.awaitBoot(before.bootId, patience, signal);
  } catch (error) {
    if (!(error instanceof DeadlinePassed)) throw error;
    const evidence = evidenceNow();
    const hung = await resetHungMachine(context, before.bootId, fromSeq);
    return isOver(evidence) ? evidence : hung;
  }
  const took = formatSeconds(performance.now() - rebootAt);
  if (booted.kernel.nonce !== null) {
    context.note(`boot: ${booted.kernel.release} answers ${took} after the reboot, boot_id ${booted.kernel.bootId}`);
    return { kind: 'candidate', booted, fromSeq };
  }
  context.note(`boot: the default kernel ${booted.kernel.release} came back ${took} after the reboot`);
  const evidence = evidenceNow();
  switch (evidence.kind) {
    case 'crash':
    case 'not-loaded':
      return evidence;
    case 'started':
      return {
        kind: 'fell-back',
        message: 'it started and the machine reset without a crash report (triple fault, reset or watchdog)',
        fromSeq: evidence.fromSeq,
      };
    case 'nothing':
      return { kind: 'fell-back', message: 'the console shows no sign of it', fromSeq };
  }
}

const isOver = (
  evidence: BootEvidence,
): evidence is Extract<BootEvidence, { kind: 'crash' } | { kind: 'not-loaded' }> =>
  evidence.kind === 'crash' || evidence.kind === 'not-loaded';

async function resetHungMachine(context: AttemptContext, before: string, fromSeq: number): Promise<BootOutcome> {
  const { serial, work } = context;
  const lastWords = serial.lastWords(fromSeq);
  const lastSeq = Math.max(fromSeq, serial.next - 1);
  const message =
    lastWords === null
      ? `silent for ${work.timeouts.bootSeconds} s after the reboot; nothing on the console`
      : `no answer within ${work.timeouts.bootSeconds} s; last serial line: ${lastWords}`;
  context.note(`boot: ${message}`);
  await resetToDefault(context, before);
  return { kind: 'hung', message, fromSeq: Math.min(fromSeq, lastSeq) };
}

/** Hard reset, then the default kernel; throws (infrastructure) when the machine stays away. */
export async function resetToDefault(
  context: AttemptContext,
  notBootId: string | null,
  signal = context.signal,
): Promise<Booted> {
  const { machine, connection, pace } = context;
  if (machine.power === null) {
    throw new JobFailure(
      'infrastructure',
      `${machine.name} does not answer and has no power driver; reset it by hand, and configure power: for it`,
    );
  }
  context.note(`power: resetting ${machine.name}`);
  const at = performance.now();
  try {
    await machine.power.reset(signal);
    connection.forgetReboot();
    const booted = await connection.awaitBoot(notBootId, () => pace.recoverMs, signal);
    context.note(`power: ${booted.kernel.release} answers ${formatSeconds(performance.now() - at)} after the reset`);
    return booted;
  } catch (error) {
    signal.throwIfAborted();
    throw new JobFailure('infrastructure', `${machine.name} did not come back after a reset: ${adviceOf(error)}`);
  }
}
