import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  countsLines,
  GCOV_NOTES_FILE,
  LINE_COUNTS_FILE,
  LINE_COUNTS_MAX_BYTES,
  SERIES_DIFF_FILE,
  SERIES_DIFF_MAX_BYTES,
} from '@peerlab/contracts';
import { type ArchiveLimits, openPlainFile, readArchive } from '../archive/index.js';
import { type CounterFiles, COUNTERS_MAX_BYTES, countSeries, GcovError, NOTES_MAX_BYTES } from '../coverage/index.js';
import { messageOf } from '../error-message.js';
import { output, quote, script } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';
import type { AttemptContext } from './attempt-context.js';
import { storeFarmFile } from './attempt-file.js';

/** Objects whose counters are read, and bytes of all of them. */
const OBJECTS_MAX = 2000;
const ALL_COUNTERS_MAX_BYTES = 24 * 1024 * 1024;
const READ_MS = 180_000;

const NOTES_LIMITS: ArchiveLimits = {
  entries: OBJECTS_MAX,
  fileBytes: NOTES_MAX_BYTES,
  totalBytes: 64 * 1024 * 1024,
  nameBytes: 400,
  depth: 24,
};

/**
 * Prints each file of counters as `@ NAME` and a line of base64, and at the end how many there are: without that line the
 * output is cut. Files of debugfs have no size, so each is read once and whole.
 */
export const countersScript = (folder: string): string => `
cd ${quote(folder)} 2>/dev/null || { echo '@none'; exit 0; }
count=0
for file in $(find . -type f -name '*.gcda' | head -n ${OBJECTS_MAX + 1}); do
  count=$((count + 1))
  echo "@ $file"
  head -c ${COUNTERS_MAX_BYTES + 1} "$file" | base64 -w 0
  echo
done
echo "@end $count"`;

/** What `countersScript` printed. Throws GcovError when it is not whole. */
export function readPrinted(text: string): CounterFiles {
  const files = new Map<string, Buffer>();
  let name: string | null = null;
  for (const line of text.split('\n')) {
    if (line === '@none') throw new GcovError('the kernel shows no counters in its debugfs');
    const end = /^@end (\d{1,9})$/.exec(line);
    if (end !== null) {
      if (Number(end[1]) !== files.size) throw new GcovError('the counters arrived incomplete');
      if (files.size > OBJECTS_MAX) throw new GcovError(`the kernel counts in more than ${OBJECTS_MAX} objects`);
      return files;
    }
    if (line.startsWith('@ ')) name = line.slice(2).replace(/^\.\//, '');
    else if (name !== null) {
      files.set(name, Buffer.from(line, 'base64'));
      name = null;
    }
  }
  throw new GcovError('the counters arrived incomplete');
}

async function readNotesOf(bundle: string): Promise<Map<string, Buffer>> {
  const notes = new Map<string, Buffer>();
  const file = await openPlainFile(join(bundle, GCOV_NOTES_FILE));
  try {
    const stream = file.createReadStream({ autoClose: false, start: 0 }) as AsyncIterable<Buffer>;
    for await (const entry of readArchive(stream, NOTES_LIMITS)) {
      if (entry.kind !== 'file' || !entry.name.endsWith('.gcno')) continue;
      const chunks: Buffer[] = [];
      for await (const chunk of entry.content()) chunks.push(chunk);
      notes.set(entry.name, Buffer.concat(chunks));
    }
  } finally {
    await file.close();
  }
  return notes;
}

/**
 * Of a kernel that counts the lines of its series: reads the counters and stores which lines ran, as a file of the attempt. The
 * candidate has to run still. What cannot be read costs no result; nothing is stored then.
 */
export async function storeLineCounts(context: AttemptContext, session: Session): Promise<void> {
  const { manifest, bundle } = context.work;
  if (!countsLines(manifest)) return;
  try {
    const printed = await output(session, script('line-counters', {}, countersScript('/sys/kernel/debug/gcov')), {
      signal: context.signal,
      timeoutMs: READ_MS,
      maxBytes: ALL_COUNTERS_MAX_BYTES,
    });
    const counters = readPrinted(printed);
    const folder = await context.bundles.fetch(bundle.sha256, manifest, context.signal);
    const diffFile = join(folder, SERIES_DIFF_FILE);
    if ((await stat(diffFile)).size > SERIES_DIFF_MAX_BYTES) throw new GcovError('the series is too large');
    const counts = countSeries(await readFile(diffFile, 'utf8'), await readNotesOf(folder), counters);
    const content = Buffer.from(JSON.stringify(counts));
    if (content.length > LINE_COUNTS_MAX_BYTES) throw new GcovError('the series is too large');
    await storeFarmFile(context, LINE_COUNTS_FILE, content);
    const ran = counts.files.reduce((sum, file) => sum + file.ran.length, 0);
    const code = counts.files.reduce((sum, file) => sum + file.ran.length + file.missed.length, 0);
    context.note(`collect: ${ran} of ${code} lines of the series with code ran (${counters.size} objects count)`);
  } catch (error) {
    context.signal.throwIfAborted();
    context.note(`collect: which lines of the series ran is not known: ${messageOf(error)}`);
  }
}
