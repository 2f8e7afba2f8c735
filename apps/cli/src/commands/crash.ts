import { createReadStream } from 'node:fs';
import { ALARM_LINE_MAX, CRASH_REPORTS_MAX, CrashReader, plainText, type CrashReport } from '@peerlab/contracts';
import type { Answer } from '../command.js';
import { FileError } from '../exit-codes.js';
import { table } from '../render/text.js';
import { codeOf } from '../token.js';

/** Largest log that is read, in bytes. It is read piece by piece; the limit is for a pipe that never ends. */
const LOG_MAX_BYTES = 1024 * 1024 * 1024;

/** Lists the kernel's reports in a console log, a dmesg or a journal; `-` reads standard input. */
export async function listCrashes(file: string, stdin: AsyncIterable<unknown>): Promise<Answer> {
  const reports = await readReports(file, file === '-' ? stdin : createReadStream(file));
  return { data: reports, text: reportsText(file, reports) };
}

/** Reports in the order of their first lines, the first CRASH_REPORTS_MAX that are over. */
async function readReports(file: string, pieces: AsyncIterable<unknown>): Promise<CrashReport[]> {
  const reports: CrashReport[] = [];
  const reader = new CrashReader((report) => {
    if (reports.length < CRASH_REPORTS_MAX) reports.push(report);
  });
  const decoder = new TextDecoder();
  let bytes = 0;
  let rest = '';
  try {
    for await (const piece of pieces) {
      const buffer = Buffer.from(piece as Uint8Array | string);
      bytes += buffer.length;
      if (bytes > LOG_MAX_BYTES) {
        throw new FileError(`${file}: larger than ${LOG_MAX_BYTES / 1024 / 1024} MiB; cut it with split or tail`);
      }
      const lines = decoder.decode(buffer, { stream: true }).split('\n');
      const last = lines.pop() ?? '';
      for (const line of lines) {
        reader.push(plainText(rest + line.slice(0, ALARM_LINE_MAX)));
        rest = '';
      }
      // No more of a line is looked at, however long it is.
      rest = (rest + last).slice(0, ALARM_LINE_MAX);
    }
  } catch (error) {
    throw error instanceof FileError ? error : new FileError(`${file}: cannot be read (${codeOf(error)})`);
  }
  if (rest !== '') reader.push(plainText(rest));
  reader.end();
  return reports.toSorted((one, other) => one.startLine - other.startLine);
}

function reportsText(file: string, reports: readonly CrashReport[]): string {
  const name = file === '-' ? 'standard input' : file;
  if (reports.length === 0) return `no report of the kernel in ${name}`;
  const rows = reports.map(({ title, type, severity, corrupted, startLine, endLine }) => [
    `${startLine}-${endLine}`,
    severity,
    type,
    corrupted ? `${title} (corrupted)` : title,
  ]);
  const lines = [table([['LINES', 'SEVERITY', 'TYPE', 'TITLE'], ...rows])];
  if (reports.length === CRASH_REPORTS_MAX) lines.push(`only the first ${CRASH_REPORTS_MAX} reports are listed`);
  return lines.join('\n');
}
