import { messageOf } from '../error-message.js';
import { output, quote, script } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';
import type { AttemptContext } from './attempt-context.js';
import { storeFarmFile } from './attempt-file.js';

/** What the kernel shows of the firmware's store (efi_pstore, ERST) or of ramoops. */
const FIRMWARE = '/sys/fs/pstore';
/**
 * Where systemd-pstore.service moves it while the machine boots, before anybody can log in: parts of the kernel's log into a
 * folder for each crash, with all of them in `dmesg.txt`; see systemd-pstore(8).
 */
const ARCHIVE = '/var/lib/systemd/pstore';
const ARCHIVED = 'systemd/';
const MERGED = 'dmesg.txt';
/** Files that are looked at, the newest: some 14 parts make a crash, and an archive keeps those of every crash that there was. */
const FILES_MAX = 500;
const LIST_MAX_BYTES = 96 * 1024;
/** Of one harvest, and bytes of each: firmware keeps 64 KiB in all, ramoops a few MiB. */
const RECORDS_MAX = 64;
const RECORD_MAX_BYTES = 1024 * 1024;
const READ_MS = 120_000;
/** As the kernel names them: `dmesg-efi_pstore-170000000001001`, `console-ramoops-0`. For `grep -E`, too. */
const NAME = '[a-z]{1,20}-[a-z_]{1,40}-[0-9]{1,20}([.]enc[.]z)?';
const FILE = `^(${NAME}|${ARCHIVED}(${NAME}|([0-9]{1,20}/){1,2}(${NAME}|dmesg[.]txt)))$`;

/**
 * Plain files of such names in plain folders: what else lies there a candidate may have put. Records that the firmware holds and nothing has asked for
 * (Linux EFI crash variables, drivers/firmware/efi/efi-pstore.c) come up with that driver.
 */
export const pstoreList = (
  firmware = FIRMWARE,
  archive = ARCHIVE,
): string => `set -- /sys/firmware/efi/efivars/dump-type*
[ ! -e "$1" ] || modprobe -q efi_pstore 2>/dev/null
for folder in ${firmware} ${archive}; do
  prefix=; [ "$folder" = ${firmware} ] || prefix=${ARCHIVED}
  [ ! -d "$folder" ] || find "$folder" -maxdepth 3 -type f -links 1 -printf "%T@ $prefix%P\\n"
done | sort -rn | cut -d ' ' -f 2 | grep -aE ${quote(FILE)} | head -n ${FILES_MAX}`;

/**
 * Files with what crashes left in the firmware, the newest first: the name of a record that is still there, `systemd/` and
 * the place in the archive of one that systemd has moved. Rejects with a MachineError.
 */
export async function listPstore(session: Session, signal: AbortSignal): Promise<string[]> {
  const text = await output(session, script('pstore-list', {}, pstoreList()), { signal, maxBytes: LIST_MAX_BYTES });
  const isFile = new RegExp(FILE);
  return text.split('\n').filter((line) => isFile.test(line));
}

/** Those of a list that the firmware still holds. */
export const inFirmware = (files: readonly string[]): string[] => files.filter((file) => !file.startsWith(ARCHIVED));

/** A record, or all parts of a crash. */
export interface PstoreRecord {
  /** What has to be read. */
  file: string;
  /** What goes when that was read. */
  files: readonly string[];
}

const nameOf = (file: string): string => file.slice(file.lastIndexOf('/') + 1);
const folderOf = (file: string): string => file.slice(0, file.lastIndexOf('/') + 1);
const isMerged = (file: string): boolean => nameOf(file) === MERGED;

/**
 * What came after the list `before`, the oldest first. A record is the same one when systemd has moved it since; all parts of a
 * crash are one record where systemd has put them together.
 */
export function newRecords(found: readonly string[], before: readonly string[]): PstoreRecord[] {
  const known = new Set(before.flatMap((file) => (isMerged(file) ? [file] : [file, nameOf(file)])));
  const isKnown = (file: string): boolean => known.has(file) || known.has(nameOf(file));
  const old = new Set(found.filter(isKnown).map(folderOf));
  const fresh = found.filter((file) => !isKnown(file) && !(isMerged(file) && old.has(folderOf(file)))).reverse();
  const whole = new Set(fresh.filter(isMerged).map(folderOf));
  return fresh.flatMap((file) => {
    const folder = folderOf(file);
    if (!whole.has(folder)) return [{ file, files: [file] }];
    return isMerged(file) ? [{ file, files: fresh.filter((other) => folderOf(other) === folder) }] : [];
  });
}

const pathOf = (file: string): string =>
  file.startsWith(ARCHIVED) ? `${ARCHIVE}/${file.slice(ARCHIVED.length)}` : `${FIRMWARE}/${file}`;

/** Clears what came after the list `before`, of a crash on order: the firmware has little room. */
export async function clearPstore(session: Session, before: readonly string[], signal: AbortSignal): Promise<void> {
  for (const record of newRecords(await listPstore(session, signal), before)) await clear(session, record, signal);
}

async function clear(session: Session, { file, files }: PstoreRecord, signal: AbortSignal): Promise<void> {
  const folder = folderOf(file).slice(ARCHIVED.length, -1);
  const remove = `rm -f ${files.map((one) => quote(pathOf(one))).join(' ')}`;
  const body = folder === '' ? remove : `${remove}\ncd ${ARCHIVE} && rmdir -p ${quote(folder)} 2>/dev/null; true`;
  await output(session, script('pstore-clear', { files: files.join(' ') }, body), { signal });
}

/**
 * Brings in what a crashed kernel left in the firmware, as files of the attempt, and clears what was brought in, so that
 * there is room for the next crash. `before` = the list when the attempt began; what is in it stays. A record
 * that cannot be read costs nothing but itself; any other failure ends this, and costs the attempt nothing.
 */
export async function harvestPstore(
  context: AttemptContext,
  session: Session,
  before: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  try {
    const records = newRecords(await listPstore(session, signal), before);
    for (const record of records.slice(0, RECORDS_MAX)) {
      const body = `head -c ${RECORD_MAX_BYTES} ${quote(pathOf(record.file))} | base64 -w 0`;
      const read = script('pstore-read', { file: record.file }, body);
      const text = await output(session, read, { signal, timeoutMs: READ_MS, maxBytes: 2 * RECORD_MAX_BYTES });
      const content = Buffer.from(text, 'base64');
      if (content.length === 0) continue;
      const name = `pstore-${record.file.replace(ARCHIVED, '').replaceAll('/', '-')}`;
      await storeFarmFile(context, name, content, signal);
      await clear(session, record, signal);
      context.note(`restore: a crash left ${content.length} bytes in the firmware; they stand under Files as ${name}`);
    }
    if (records.length > RECORDS_MAX)
      context.note(`restore: ${records.length - RECORDS_MAX} more records of crashes stay on ${context.machine.name}`);
  } catch (error) {
    signal.throwIfAborted();
    context.note(`restore: what a crash left in the firmware could not be brought in: ${messageOf(error)}`);
  }
}
