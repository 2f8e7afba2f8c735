import { messageOf } from '../error-message.js';
import { output, quote, script } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';
import { formatBytes } from '../timing.js';
import type { AttemptContext } from './attempt-context.js';
import { storeFarmFile } from './attempt-file.js';

/** Where kdump-tools (Debian, Ubuntu), kexec-tools (Fedora, RHEL) and kdump (SUSE) put a folder for each crash. */
const FOLDER = '/var/crash';
/** Logs of crashes that are looked at, the newest, and bytes of each: a kernel's ring buffer has a few MiB at most. */
const LOGS_MAX = 64;
const LOG_MAX_BYTES = 4 * 1024 * 1024;
const LIST_MAX_BYTES = 64 * 1024;
const READ_MS = 120_000;
/** A crash's folder, and the kernel's log in it by the name that each of them gives it. For `grep -E`, too. */
const LOG = '^[A-Za-z0-9][A-Za-z0-9.:_-]{0,79}/(dmesg[.][0-9]{8,14}|vmcore-dmesg[.]txt|dmesg[.]txt)$';

/** Plain files of such names in plain folders: what else lies there a candidate may have put. */
export const dumpList = (folder = FOLDER): string => `[ -d ${folder} ] && [ ! -L ${folder} ] || exit 0
find ${folder} -mindepth 2 -maxdepth 2 -type f -links 1 -name '*dmesg*' -printf '%T@ %P\\n' |
  sort -rn | cut -d ' ' -f 2 | grep -aE ${quote(LOG)} | head -n ${LOGS_MAX}`;

/** The logs of crashes that kdump has saved, each `FOLDER/FILE`, the newest first. Rejects with a MachineError. */
export async function listDumps(session: Session, signal: AbortSignal): Promise<string[]> {
  const text = await output(session, script('kdump-list', {}, dumpList()), { signal, maxBytes: LIST_MAX_BYTES });
  const isLog = new RegExp(LOG);
  return text.split('\n').filter((line) => isLog.test(line));
}

/** Where those of a list lie that were not in the list `before`. */
export function newDumps(found: readonly string[], before: readonly string[]): string[] {
  const known = new Set(before);
  return found.filter((name) => !known.has(name)).map((name) => `${FOLDER}/${name.split('/')[0] ?? ''}`);
}

/**
 * Brings in the kernel's log of each crash that kdump saved during the attempt, as files of it. The dumps beside them are gigabytes:
 * they stay on the machine, and the agent's log says where. `before` = logs that were there when the attempt began. One
 * that cannot be brought in costs nothing but itself.
 */
export async function harvestDumps(
  context: AttemptContext,
  session: Session,
  before: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  try {
    const known = new Set(before);
    for (const name of (await listDumps(session, signal)).filter((found) => !known.has(found))) {
      const [crash = '', file = ''] = name.split('/');
      const place = `${FOLDER}/${crash}`;
      const body = `du -sk ${quote(place)} | cut -f 1
head -c ${LOG_MAX_BYTES} ${quote(`${place}/${file}`)} | base64 -w 0`;
      const read = script('kdump-read', { name }, body);
      const text = await output(session, read, { signal, timeoutMs: READ_MS, maxBytes: 2 * LOG_MAX_BYTES });
      const [sizeKib = '', encoded = ''] = text.split('\n');
      const content = Buffer.from(encoded, 'base64');
      if (content.length === 0) continue;
      await storeFarmFile(context, `kdump-${crash}-${file}`, content, signal);
      const size = /^\d{1,12}$/.test(sizeKib.trim()) ? `, ${formatBytes(Number(sizeKib) * 1024)} in all` : '';
      context.note(
        `restore: kdump saved a crash in ${place} of ${context.machine.name}${size}; its log stands under Files, the dump stays there`,
      );
    }
  } catch (error) {
    signal.throwIfAborted();
    context.note(`restore: what kdump saved of a crash could not be brought in: ${messageOf(error)}`);
  }
}
