import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cleanText, FileName, LEFT_FILE_MAX_BYTES, LEFT_FILES_MAX, LEFT_FILES_MAX_BYTES } from '@peerlab/contracts';
import { messageOf } from '../error-message.js';
import { quote, script } from '../machine/command.js';
import type { AttemptContext } from './attempt-context.js';
import { artifactsOf, type OwnWork } from './own-suite.js';

/** Entries of the folder that are looked at. */
const LISTED_MAX = 1000;
const LIST_MAX_BYTES = 512 * 1024;
const READ_TIMEOUT_MS = 120_000;
/** Longest foreign name in a note, in characters. */
const SHOWN_MAX = 100;

interface Found {
  name: string;
  sizeBytes: number;
}

/** Plain files of the folder, as `SIZE NAME` each ended by a NUL: a name may have any other character. */
export const listScript = (folder: string): string =>
  `cd ${quote(folder)} 2>/dev/null || exit 0
find . -maxdepth 1 -type f -printf '%s %f\\0' | head -z -n ${LISTED_MAX} | head -c ${LIST_MAX_BYTES}`;

/** What `listScript` printed. */
export function readList(text: string): Found[] {
  return text.split('\0').flatMap((entry) => {
    const at = entry.indexOf(' ');
    const sizeBytes = Number(entry.slice(0, at));
    return at < 1 || !Number.isSafeInteger(sizeBytes) ? [] : [{ name: entry.slice(at + 1), sizeBytes }];
  });
}

/** Uploads what suites left for people, within the limits of an attempt; what is left out is noted with its reason. */
export class LeftFiles {
  #bytes = 0;

  /** The machine has to be reachable. A file that cannot be brought in costs no result. */
  async collect(context: AttemptContext, suite: OwnWork): Promise<void> {
    const folder = artifactsOf(context, suite);
    try {
      const command = script('suite-files', { suite: suite.name }, listScript(folder));
      const listed = await context.connection
        .require()
        .exec(command, { signal: context.signal, timeoutMs: READ_TIMEOUT_MS, maxBytes: 2 * LIST_MAX_BYTES });
      let count = 0;
      for (const file of readList(listed.stdout).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
        const why = this.#whyNot(file, count);
        if (why === null) {
          await this.#bringIn(context, suite, folder, file);
          count += 1;
        } else {
          context.note(`test: ${suite.name} left ${cleanText(file.name, SHOWN_MAX)}, which is not kept: ${why}`);
        }
      }
    } catch (error) {
      context.signal.throwIfAborted();
      context.note(`test: the files that ${suite.name} left could not be brought in: ${messageOf(error)}`);
    }
  }

  #whyNot({ name, sizeBytes }: Found, count: number): string | null {
    if (!FileName.safeParse(name).success) return 'its name has other characters than letters, digits, . _ + and -';
    if (sizeBytes > LEFT_FILE_MAX_BYTES) return `it has ${sizeBytes} bytes, at most ${LEFT_FILE_MAX_BYTES} are kept`;
    if (count >= LEFT_FILES_MAX) return `a suite may leave ${LEFT_FILES_MAX} files`;
    if (this.#bytes + sizeBytes > LEFT_FILES_MAX_BYTES) return `an attempt may leave ${LEFT_FILES_MAX_BYTES} bytes`;
    return null;
  }

  async #bringIn(context: AttemptContext, suite: OwnWork, folder: string, { name }: Found): Promise<void> {
    const path = quote(`${folder}/${name}`);
    // It may grow while it is read, or be a link by now.
    const body = `[ -f ${path} ] && [ ! -L ${path} ] || exit 1; head -c ${LEFT_FILE_MAX_BYTES} ${path} | base64 -w 0`;
    const result = await context.connection.require().exec(script('suite-file', { suite: suite.name }, body), {
      signal: context.signal,
      timeoutMs: READ_TIMEOUT_MS,
      maxBytes: 2 * LEFT_FILE_MAX_BYTES,
    });
    if (result.code !== 0) return;
    const content = Buffer.from(result.stdout, 'base64');
    const sha256 = createHash('sha256').update(content).digest('hex');
    const scratch = await mkdtemp(join(tmpdir(), 'peerlab-left-'));
    try {
      const local = join(scratch, 'file');
      await writeFile(local, content);
      await context.bundles.upload(sha256, local, content.length, context.signal);
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
    this.#bytes += content.length;
    context.emit({ type: 'file', file: { suite: suite.name, name, sha256, sizeBytes: content.length } });
    context.note(`test: ${suite.name} left ${name} (${content.length} bytes)`);
  }
}
