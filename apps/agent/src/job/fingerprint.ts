import { output, script } from '../machine/command.js';
import { messageOf } from '../error-message.js';
import type { Session } from '../machine/protocols.js';
import { JobFailure } from './failure.js';
import { FINGERPRINT } from './fingerprint-script.js';
import type { KernelIdentity } from './kernel-identity.js';
import type { Fingerprint, MachineRecord } from './machine-record.js';
import type { AttemptContext } from './attempt-context.js';
import type { RestoreContext } from './restore-context.js';

/**
 * Some 300 MB are read twice per attempt. A server takes seconds for that, an emulated machine beside other work minutes:
 * what ends it is that it does not go on.
 */
const FINGERPRINT_MS = 3_600_000;
const FINGERPRINT_SILENCE_MS = 300_000;
/** Files that a message names; the record has all of them. */
const NAMED_FILES = 10;
/** Longest path in a message, in characters. */
const PATH_MAX = 120;

/** The machine is not what it was: its loader, default kernel, sshd or units changed. Trying again mends nothing. */
export class MachineChanged extends Error {
  override readonly name = 'MachineChanged';
}

/** Reads the answer of the fingerprint script. `files` is null when the digest was the expected one. */
export function parseFingerprint(text: string): { digest: string; files: Record<string, string> | null } {
  const [digest = '', ...lines] = text.trimEnd().split('\n');
  if (!/^[0-9a-f]{64}$/.test(digest)) {
    throw new Error(`the machine did not give its fingerprint: ${JSON.stringify(text.slice(0, 200))}`);
  }
  const entries = lines.map((line): [string, string] => {
    const at = line.indexOf('  ');
    return [line.slice(at + 2), line.slice(0, at)];
  });
  return { digest, files: entries.length === 0 ? null : Object.fromEntries(entries) };
}

/** Which files differ, for people: changed, new and missing ones, the first few by name. */
export function describeDifference(before: Record<string, string>, now: Record<string, string>): string {
  const changed = Object.keys(now).filter((path) => before[path] !== undefined && before[path] !== now[path]);
  const added = Object.keys(now).filter((path) => before[path] === undefined);
  const removed = Object.keys(before).filter((path) => now[path] === undefined);
  const all = [
    ...changed.map((path) => `${shown(path)} changed`),
    ...added.map((path) => `${shown(path)} is new`),
    ...removed.map((path) => `${shown(path)} is gone`),
  ];
  const more = all.length > NAMED_FILES ? `, and ${all.length - NAMED_FILES} more` : '';
  return all.slice(0, NAMED_FILES).join(', ') + more;
}

const shown = (path: string): string => (path.length > PATH_MAX ? `…${path.slice(-PATH_MAX)}` : path);

/**
 * Before an attempt on a machine without a disk that can be reset: the default kernel is the one that the
 * attempt before left, and the files that decide about the next boot and about who gets in are those that
 * were pinned. What is seen for the first time is pinned. Throws JobFailure, and marks the machine for
 * quarantine, when something differs.
 */
export async function checkUnchanged(
  context: AttemptContext,
  kernel: KernelIdentity,
  signal: AbortSignal,
): Promise<void> {
  const { records, machine } = context;
  if (records === null) return;
  const { defaultAfter } = records.read(machine.name);
  try {
    // First, because its message names the files of a kernel that was exchanged.
    await compare(context, 'prepare', signal);
    if (defaultAfter !== null && defaultAfter.buildId !== kernel.buildId) {
      throw new MachineChanged(
        `the default kernel of ${machine.name} has build-id ${kernel.buildId || 'none'} (${kernel.release}), ` +
          `attempt ${defaultAfter.attemptId} left ${defaultAfter.buildId} (${defaultAfter.release}); ${adviceFor(machine.name)}`,
      );
    }
    if (defaultAfter !== null && defaultAfter.bootId !== kernel.bootId) {
      context.note(`prepare: ${machine.name} was rebooted since attempt ${defaultAfter.attemptId}`);
    }
  } catch (error) {
    if (!(error instanceof MachineChanged)) throw error;
    context.distrust = error.message;
    throw new JobFailure('infrastructure', error.message);
  }
}

/** After an attempt: as before it. Throws MachineChanged; otherwise remembers the kernel that is left running. */
export async function checkRestored(
  context: RestoreContext,
  kernel: KernelIdentity,
  signal: AbortSignal,
): Promise<void> {
  if (context.records === null) return;
  await compare(context, 'restore', signal);
  const { release, buildId, bootId } = kernel;
  store(context, { defaultAfter: { release, buildId, bootId, attemptId: context.workId } });
}

/** A full disk of the agent's computer says nothing about the machine: what is not stored is noted. */
function store(context: RestoreContext, change: Partial<MachineRecord>): void {
  try {
    context.records?.update(context.machine.name, change);
  } catch (error) {
    context.note(`the record of ${context.machine.name} could not be written: ${messageOf(error)}`);
  }
}

async function compare(context: RestoreContext, stage: 'prepare' | 'restore', signal: AbortSignal): Promise<void> {
  const { records, machine, connection } = context;
  if (records === null) return;
  const { pinned } = records.read(machine.name);
  if (pinned === null && stage === 'restore') {
    // A candidate may have been there: what is seen now is nothing to measure the machine by.
    context.note(`restore: ${machine.name} has no pinned fingerprint to compare with`);
    return;
  }
  const startedAt = performance.now();
  const seen = await takeFingerprint(connection.require(), pinned?.digest ?? null, signal);
  const took = `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
  if (seen.files === null) {
    context.note(`${stage}: fingerprint ${seen.digest.slice(0, 12)}… as pinned, ${took}`);
    return;
  }
  const found: Fingerprint = {
    digest: seen.digest,
    files: seen.files,
    at: new Date().toISOString(),
    attemptId: context.workId,
  };
  if (pinned === null) {
    try {
      records.update(machine.name, { pinned: found });
    } catch (error) {
      throw new JobFailure(
        'infrastructure',
        `the fingerprint of ${machine.name} cannot be stored: ${messageOf(error)}`,
      );
    }
    context.note(
      `${stage}: ${machine.name} is seen for the first time; pinned ${Object.keys(found.files).length} files, ` +
        `fingerprint ${found.digest.slice(0, 12)}…, ${took}`,
    );
    return;
  }
  store(context, { differing: found });
  throw new MachineChanged(
    `${machine.name} differs from what was pinned on ${pinned.at.slice(0, 10)}: ` +
      `${describeDifference(pinned.files, found.files)}; ${adviceFor(machine.name)}`,
  );
}

async function takeFingerprint(
  session: Session,
  expected: string | null,
  signal: AbortSignal,
): Promise<ReturnType<typeof parseFingerprint>> {
  const command = script('fingerprint', { expected: expected ?? '' }, FINGERPRINT(expected ?? ''));
  const text = await output(session, command, {
    timeoutMs: FINGERPRINT_MS,
    silenceMs: FINGERPRINT_SILENCE_MS,
    signal,
  });
  return parseFingerprint(text);
}

const adviceFor = (machine: string): string =>
  `a kernel under test may have done it: reinstall the machine; if the change was yours, run ` +
  `"peerlab-agent --config FILE --accept-fingerprint ${machine}" on the agent's computer, then activate the machine`;
