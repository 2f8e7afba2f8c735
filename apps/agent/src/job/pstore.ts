import { messageOf } from '../error-message.js';
import { output, quote, script } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';
import type { AttemptContext } from './attempt-context.js';
import { storeFarmFile } from './attempt-file.js';

const FOLDER = '/sys/fs/pstore';
/** Records of one crash, and bytes of each: firmware keeps 64 KiB in all, ramoops a few MiB. */
const RECORDS_MAX = 16;
const RECORD_MAX_BYTES = 1024 * 1024;
const LIST_MAX_BYTES = 16 * 1024;
const READ_MS = 120_000;
/** As the kernel names them: `dmesg-efi_pstore-170000000001001`, `console-ramoops-0`. */
const NAME = /^[a-z]{1,20}-[a-z_]{1,40}-\d{1,20}(?:\.enc\.z)?$/;

/** Names of the records that the firmware holds. Rejects with a MachineError. */
export async function listPstore(session: Session, signal: AbortSignal): Promise<string[]> {
  const body = `for file in ${FOLDER}/*; do [ ! -f "$file" ] || echo "\${file##*/}"; done`;
  const text = await output(session, script('pstore-list', {}, body), { signal, maxBytes: LIST_MAX_BYTES });
  return text
    .split('\n')
    .filter((line) => NAME.test(line))
    .slice(0, RECORDS_MAX);
}

/** Clears the records that came after those `before`, of a crash on order: the firmware has little room. */
export async function clearPstore(session: Session, before: readonly string[], signal: AbortSignal): Promise<void> {
  const known = new Set(before);
  for (const name of (await listPstore(session, signal)).filter((found) => !known.has(found)))
    await clear(session, name, signal);
}

async function clear(session: Session, name: string, signal: AbortSignal): Promise<void> {
  await output(session, script('pstore-clear', { name }, `rm -f ${quote(`${FOLDER}/${name}`)}`), { signal });
}

/**
 * Brings in what a crashed kernel left in the firmware's store, as files of the attempt, and clears what was brought in, so that
 * there is room for the next crash. `before` = records that were there when the attempt began; they stay. A record
 * that cannot be brought in costs nothing but itself.
 */
export async function harvestPstore(
  context: AttemptContext,
  session: Session,
  before: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  try {
    const known = new Set(before);
    for (const name of (await listPstore(session, signal)).filter((found) => !known.has(found))) {
      const path = quote(`${FOLDER}/${name}`);
      const read = script('pstore-read', { name }, `head -c ${RECORD_MAX_BYTES} ${path} | base64 -w 0`);
      const text = await output(session, read, { signal, timeoutMs: READ_MS, maxBytes: 2 * RECORD_MAX_BYTES });
      const content = Buffer.from(text, 'base64');
      if (content.length === 0) continue;
      await storeFarmFile(context, `pstore-${name}`, content, signal);
      await clear(session, name, signal);
      context.note(`restore: the firmware held ${name} of a crash (${content.length} bytes); it stands under Files`);
    }
  } catch (error) {
    signal.throwIfAborted();
    context.note(`restore: what the firmware holds of a crash could not be brought in: ${messageOf(error)}`);
  }
}
