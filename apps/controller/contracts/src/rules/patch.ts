/** Reads kernel patches as `git format-patch` writes them, and whatever else `patch` would take. Pure. */

export interface DiffLine {
  /** Space = context, `\` = a remark such as a missing newline at the end. */
  kind: ' ' | '+' | '-' | '\\';
  text: string;
}

export interface DiffHunk {
  /** First line in the file before and after, from 1. */
  oldStart: number;
  newStart: number;
  /** What git says behind the second `@@`: the function that the hunk is in. */
  context: string;
  lines: DiffLine[];
}

export interface DiffFile {
  /** Name after the patch; before it for a deleted file. */
  path: string;
  /** Name before the patch where that differs. */
  oldPath: string | null;
  change: 'changed' | 'added' | 'deleted' | 'renamed';
  added: number;
  removed: number;
  hunks: DiffHunk[];
}

export interface Patch {
  subject: string | null;
  author: string | null;
  /** As the mail says it. */
  date: string | null;
  /** Without the diffstat. */
  message: string;
  files: DiffFile[];
}

const HUNK = /^@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@ ?([^\n]*)$/;

/**
 * Takes a patch apart, in time that grows with its length. Text without a diff gives no files; nothing is refused.
 * `lines: false` counts the lines of hunks without keeping them: millions of short ones have a hundred bytes each.
 */
export function parsePatch(text: string, { lines: keepLines }: { lines: boolean } = { lines: true }): Patch {
  const plain = text.replaceAll('\r\n', '\n');
  const header = plain.slice(0, mailHeaderEnd(plain));
  const lines = plain.slice(header.length).split('\n');
  const start = lines.findIndex((line, index) => beginsFile(line, lines[index + 1]));
  const body = start === -1 ? lines : lines.slice(0, start);
  const end = body.findIndex((line) => line === '---');
  const subject = field(header, 'Subject');
  return {
    subject: subject === null ? null : withoutTags(subject),
    author: field(header, 'From'),
    date: field(header, 'Date'),
    message: (end === -1 ? body : body.slice(0, end)).join('\n').trim(),
    files: start === -1 ? [] : parseFiles(lines.slice(start), keepLines),
  };
}

/**
 * Where the header of a mail ends, the empty line behind it included; 0 when the text does not begin with
 * one. Looks at each line once, as whoever sends a patch decides what stands in it.
 */
export function mailHeaderEnd(text: string): number {
  // A separator that a mail program took for a line of text stands for itself.
  let at = /^>?From /.test(text) ? text.indexOf('\n') + 1 : 0;
  for (let fields = 0; ; ) {
    const end = text.indexOf('\n', at);
    if (end === -1) return 0;
    const line = text.slice(at, end);
    at = end + 1;
    if (line === '') return fields > 0 ? at : 0;
    if (/^[!-9;-~]+:/.test(line)) fields += 1;
    else if (fields === 0 || !/^[ \t]/.test(line)) return 0;
  }
}

/** The subject of a mail header with what stands in brackets before it, decoded; null when it has none. */
export const mailSubject = (header: string): string | null => field(header, 'Subject');

/** Lines added and removed by all files together. */
export function diffSize(files: readonly Pick<DiffFile, 'added' | 'removed'>[]): { added: number; removed: number } {
  return files.reduce((sum, { added, removed }) => ({ added: sum.added + added, removed: sum.removed + removed }), {
    added: 0,
    removed: 0,
  });
}

/** Longest header field that is read, in characters; the rest of it is left out. */
const FIELD_MAX = 2000;

/** A field of a mail header with the lines that go on with it, decoded; null when it is not there. */
function field(header: string, name: string): string | null {
  const lines = header.split('\n');
  const start = lines.findIndex((line) => line.slice(0, name.length + 1).toLowerCase() === `${name.toLowerCase()}:`);
  if (start === -1) return null;
  const parts = [(lines[start] ?? '').slice(name.length + 1)];
  let length = 0;
  for (let at = start + 1; at < lines.length && /^[ \t]/.test(lines[at] ?? '') && length < FIELD_MAX; at += 1) {
    const part = (lines[at] ?? '').trim();
    parts.push(part);
    length += part.length + 1;
  }
  return decodeWords(parts.join(' ').trim().slice(0, FIELD_MAX)).trim();
}

/** A subject without `[PATCH v2 1/3]` and the like before it. */
function withoutTags(subject: string): string {
  let rest = subject.trimStart();
  while (rest.startsWith('[') && rest.includes(']')) rest = rest.slice(rest.indexOf(']') + 1).trimStart();
  return rest;
}

/** Encoded words of a mail header (RFC 2047) as text. */
function decodeWords(text: string): string {
  return text
    .replaceAll(/\?=\s+=\?/g, '?==?')
    .replaceAll(/=\?([^?\s]+)\?([bq])\?([^?]*)\?=/gi, (whole, charset: string, encoding: string, coded: string) => {
      const bytes = encoding.toLowerCase() === 'b' ? decodeBase64(coded) : decodeQuoted(coded.replaceAll('_', ' '));
      if (/^(us-ascii|iso-8859-1)$/i.test(charset)) return bytes;
      try {
        if (!/^utf-8$/i.test(charset)) return whole;
        return decodeURIComponent(
          bytes.replaceAll(/[^]/g, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`),
        );
      } catch {
        return whole; // Bytes that are no UTF-8 stay as they were written.
      }
    });
}

/** Bytes, one letter each. */
function decodeQuoted(coded: string): string {
  return coded.replaceAll(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Bytes, one letter each; what is no Base64 is passed over. */
function decodeBase64(coded: string): string {
  let bytes = '';
  let bits = 0;
  let held = 0;
  for (const letter of coded) {
    const value = BASE64.indexOf(letter);
    if (value === -1) continue;
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += String.fromCharCode((held >> bits) & 0xff);
  }
  return bytes;
}

function beginsFile(line: string, next: string | undefined): boolean {
  return line.startsWith('diff --git ') || (/^--- \S/.test(line) && /^\+\+\+ \S/.test(next ?? ''));
}

/** Name in a diff header without its time stamp, quotes and the `a/` or `b/` before it; null for /dev/null. */
function nameOf(text: string): string | null {
  const tab = text.indexOf('\t');
  const written = tab === -1 ? text : text.slice(0, tab);
  const isQuoted = written.length > 1 && written.startsWith('"') && written.endsWith('"');
  const name = isQuoted ? written.slice(1, -1) : written;
  return name === '/dev/null' ? null : name.replace(/^[ab]\//, '');
}

/** Name after the patch in `diff --git a/X b/X`, where either may be quoted. */
function nameInGitLine(line: string): string {
  const names = line.slice('diff --git '.length);
  const start = names.startsWith('"a/') ? 3 : names.startsWith('a/') ? 2 : -1;
  const places = start === -1 ? [] : [' b/', ' "b/'].map((mark) => [names.indexOf(mark, start), mark.length] as const);
  const [place] = places.filter(([at]) => at !== -1).sort(([a], [b]) => a - b);
  if (place === undefined) return names;
  const name = names.slice(place[0] + place[1]);
  return name.endsWith('"') ? name.slice(0, -1) : name;
}

function parseFiles(lines: readonly string[], keepLines: boolean): DiffFile[] {
  const files: DiffFile[] = [];
  let file: DiffFile | null = null;
  let at = 0;
  const open = (path: string): DiffFile => {
    const opened: DiffFile = { path, oldPath: null, change: 'changed', added: 0, removed: 0, hunks: [] };
    files.push(opened);
    return opened;
  };
  while (at < lines.length) {
    const line = lines[at] ?? '';
    const next = lines[at + 1] ?? '';
    if (line.startsWith('diff --git ')) {
      file = open(nameInGitLine(line));
    } else if (/^--- \S/.test(line) && /^\+\+\+ \S/.test(next)) {
      const [before, after] = [nameOf(line.slice(4)), nameOf(next.slice(4))];
      if (file === null || file.hunks.length > 0) file = open(after ?? before ?? '');
      file.path = after ?? before ?? file.path;
      if (before === null) file.change = 'added';
      if (after === null) file.change = 'deleted';
      at += 1;
    } else if (file !== null && line.startsWith('@@ ')) {
      at = takeHunk(lines, at, file, keepLines);
      continue;
    } else if (file !== null) noteChange(file, line);
    at += 1;
  }
  return files;
}

function noteChange(file: DiffFile, line: string): void {
  if (line.startsWith('new file mode')) file.change = 'added';
  else if (line.startsWith('deleted file mode')) file.change = 'deleted';
  else if (line.startsWith('rename from ')) {
    file.change = 'renamed';
    file.oldPath = line.slice(12);
  } else if (line.startsWith('rename to ')) file.path = line.slice(10);
}

/** Reads a hunk by its own counts, so that a signature below it is no removed line. Returns where it ends. */
function takeHunk(lines: readonly string[], start: number, file: DiffFile, keepLines: boolean): number {
  const match = HUNK.exec(lines[start] ?? '');
  if (match === null) return start + 1;
  const [, oldStart = '0', oldCount = '1', newStart = '0', newCount = '1', context = ''] = match;
  const hunk: DiffHunk = { oldStart: Number(oldStart), newStart: Number(newStart), context, lines: [] };
  file.hunks.push(hunk);
  let [before, after] = [Number(oldCount), Number(newCount)];
  let at = start + 1;
  for (; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    // Mail programs cut the space of an empty context line.
    const kind = line === '' ? ' ' : line[0];
    if (kind === '\\') {
      if (keepLines) hunk.lines.push({ kind, text: line.slice(2) });
      continue;
    }
    if ((before === 0 && after === 0) || (kind !== ' ' && kind !== '+' && kind !== '-')) break;
    if (kind !== '+') before -= 1;
    if (kind !== '-') after -= 1;
    if (kind === '+') file.added += 1;
    if (kind === '-') file.removed += 1;
    if (keepLines) hunk.lines.push({ kind, text: line.slice(1) });
  }
  return at;
}
