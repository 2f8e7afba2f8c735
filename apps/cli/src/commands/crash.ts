import { createReadStream } from 'node:fs';
import {
  ALARM_LINE_MAX,
  callOf,
  callText,
  CRASH_REPORTS_MAX,
  CrashReader,
  plainText,
  type CrashReport,
} from '@peerlab/contracts';
import type { Answer } from '../command.js';
import { FileError, UsageError } from '../exit-codes.js';
import { table } from '../render/text.js';
import { findSource, type Call, type SourceFrame } from '../symbols.js';
import { codeOf } from '../token.js';

/** Largest log that is read, in bytes. It is read piece by piece; the limit is for a pipe that never ends. */
const LOG_MAX_BYTES = 1024 * 1024 * 1024;

/** Addresses that are kept of a log. */
const CALLS_KEPT = 200_000;

/**
 * Lists the kernel's reports in a console log, a dmesg or a journal; `-` reads standard input. With a vmlinux each has its
 * calls with file, line and inlined functions.
 */
export async function listCrashes(
  file: string,
  stdin: AsyncIterable<unknown>,
  { vmlinux, tree }: { vmlinux?: string | undefined; tree?: string | undefined } = {},
): Promise<Answer> {
  if (tree !== undefined && vmlinux === undefined) throw new UsageError('--tree needs --vmlinux');
  const calls: Call[] = [];
  const keep = (text: string, line: number): void => {
    const call = callOf(text);
    if (call !== null && calls.length < CALLS_KEPT) calls.push({ ...call, line });
  };
  const pieces = file === '-' ? stdin : createReadStream(file);
  const reports = await readReports(file, pieces, vmlinux === undefined ? undefined : keep);
  if (vmlinux === undefined) return { data: reports.map(withoutCalls), text: reportsText(file, reports) };
  const callsOf = reports.map(({ startLine, endLine }) =>
    calls.filter(({ line }) => line >= startLine && line <= endLine),
  );
  const source = await findSource(vmlinux, tree ?? null, callsOf.flat());
  const data = reports.map((report, at) => ({
    ...withoutCalls(report),
    source: (callsOf[at] ?? []).flatMap((call) => {
      const frames = source.get(call);
      return frames === undefined ? [] : [{ line: call.line, call: callText(call), frames }];
    }),
  }));
  const texts = data.map(({ title, source: own }) =>
    [title, ...own.flatMap(({ frames }) => frames.map(frameText))].join('\n'),
  );
  return { data, text: [reportsText(file, reports), ...texts].join('\n\n') };
}

/** Addresses that are still to be looked up say nothing that the frames do not; what was found is `source`. */
function withoutCalls({ calls: _calls, ...report }: CrashReport): Omit<CrashReport, 'calls'> {
  return report;
}

/** All but the last function of an address are inlined into it. */
function frameText({ name, file, line, text }: SourceFrame, at: number, frames: readonly SourceFrame[]): string {
  const inlined = at < frames.length - 1 ? ' [inlined]' : '';
  return `  ${name} ${file}:${line}${inlined}${text === null ? '' : `\n      ${text}`}`;
}

/** Reports in the order of their first lines, the first CRASH_REPORTS_MAX that are over. */
async function readReports(
  file: string,
  pieces: AsyncIterable<unknown>,
  onLine: (text: string, line: number) => void = () => undefined,
): Promise<CrashReport[]> {
  const reports: CrashReport[] = [];
  const reader = new CrashReader((report) => {
    if (reports.length < CRASH_REPORTS_MAX) reports.push(report);
  });
  let count = 0;
  const push = (raw: string): void => {
    const text = plainText(raw);
    count += 1;
    reader.push(text);
    onLine(text, count);
  };
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
        push(rest + line.slice(0, ALARM_LINE_MAX));
        rest = '';
      }
      // No more of a line is looked at, however long it is.
      rest = (rest + last).slice(0, ALARM_LINE_MAX);
    }
  } catch (error) {
    throw error instanceof FileError ? error : new FileError(`${file}: cannot be read (${codeOf(error)})`);
  }
  if (rest !== '') push(rest);
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
