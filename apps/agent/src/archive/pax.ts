import { ArchiveError, showName } from './archive-error.js';

/** Largest pax header or GNU long name, in bytes: a name has 4096 at most, the other records are short. */
export const EXTENDED_HEADER_MAX_BYTES = 8 * 1024;

/** Records that say nothing of where a file lies or what it is; they are read over. */
const HARMLESS = new Set(['atime', 'ctime', 'mtime', 'uid', 'gid', 'uname', 'gname', 'comment']);

/** What a pax header may say of the next entry. */
interface PaxRecords {
  path: Buffer | null;
  /** Has to agree with the size in the entry's own header. */
  sizeBytes: number | null;
}

/**
 * Reads the records `LENGTH KEY=VALUE\n` of a pax header. Anything but harmless records, a path and a size is
 * refused: sparse maps, links, other character sets, extended attributes. Throws ArchiveError.
 */
export function parsePax(bytes: Buffer): PaxRecords {
  const records: PaxRecords = { path: null, sizeBytes: null };
  const seen = new Set<string>();
  for (const { key, value } of recordsOf(bytes)) {
    if (seen.has(key)) throw new ArchiveError(`a pax header has two records ${showName(key)}`);
    seen.add(key);
    if (key === 'path') records.path = value;
    else if (key === 'size') records.sizeBytes = decimal(value);
    else if (key.startsWith('GNU.sparse.')) throw new ArchiveError('a pax header announces a sparse file');
    else if (!HARMLESS.has(key)) throw new ArchiveError(`a pax header has the record ${showName(key)}`);
  }
  return records;
}

/** A global pax header may hold a comment, as `git archive` writes it; anything else would change later entries. */
export function checkGlobalPax(bytes: Buffer): void {
  for (const { key } of recordsOf(bytes)) {
    if (key !== 'comment') throw new ArchiveError(`a global pax header has the record ${showName(key)}`);
  }
}

function* recordsOf(bytes: Buffer): Generator<{ key: string; value: Buffer }> {
  let rest = bytes;
  while (rest.length > 0) {
    const digits = /^[1-9][0-9]{0,5} /.exec(rest.subarray(0, 7).toString('latin1'))?.[0];
    const length = Number(digits ?? 0);
    const equals = rest.indexOf('=');
    if (digits === undefined || length > rest.length || equals <= digits.length || equals >= length - 1) {
      throw new ArchiveError('a pax header is malformed');
    }
    if (rest[length - 1] !== 0x0a) throw new ArchiveError('a pax header is malformed');
    yield {
      key: rest.subarray(digits.length, equals).toString('latin1'),
      value: rest.subarray(equals + 1, length - 1),
    };
    rest = rest.subarray(length);
  }
}

function decimal(value: Buffer): number {
  const text = value.toString('latin1');
  if (!/^[0-9]{1,15}$/.test(text)) throw new ArchiveError('a pax header has a size that is no number');
  return Number(text);
}
