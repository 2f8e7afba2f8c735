import { readFile } from 'node:fs/promises';
import {
  buildEstimateText,
  kernelText,
  machinesText,
  seriesText,
  startText,
  type SubmissionReport,
} from '@peerlab/contracts';
import type { Answer, Context } from '../command.js';
import { waitForRun } from '../ci/wait.js';
import { EXIT, FileError, RunFileError, UsageError } from '../exit-codes.js';
import { table } from '../render/text.js';
import { codeOf } from '../token.js';
import { readOwnSeries, runWithSeries, uploadContent, type SeriesOptions } from './own-series.js';
import { sendOnce } from './send-once.js';
import { followRun } from './watch.js';

/** What the controller accepts as YAML, in bytes; a larger file is not a run file. */
const RUN_FILE_MAX_BYTES = 6 * 1024 * 1024;

/** Submits a run file, a series or both, or with `check` only says what would become of it. `-` reads standard input. */
export async function submit(
  context: Context,
  file: string | undefined,
  options: { watch: boolean; wait: boolean; junit: string | undefined; check: boolean } & SeriesOptions,
): Promise<Answer | null> {
  if (options.junit !== undefined && !options.wait) throw new UsageError('--junit: only with --wait');
  const { api } = context;
  const series = await readOwnSeries(options, context.stdin);
  if (file === undefined && series === null) throw new RunFileError('give a run file, --series or --git');
  if (file === '-' && options.series === '-') throw new RunFileError('standard input is the run file or the series');
  const given = file === undefined ? null : await readRunFile(file, context.stdin);
  const yaml = series === null ? (given ?? '') : await runWithSeries(api, given, series);
  if (series?.note != null && !context.json) context.write(`${series.note}\n`);
  if (options.check) {
    const report = await api.call('checkRun', { body: { yaml } });
    return {
      data: report,
      text: reportText(file ?? 'the run', report),
      exitCode: report.ok ? EXIT.done : EXIT.badRunFile,
    };
  }
  const run = await sendOnce((id) => api.call('submitRun', { body: { id, yaml } }));
  const text = `${run.id}  ${api.url}/runs/${run.id}`;
  if (options.wait) return waitForRun(context, run.id, options.junit ?? null);
  if (!options.watch) return { data: run, text };
  if (!context.json) context.write(`${text}\n`);
  return followRun(context, run.id);
}

/** Stores a file that run files then name by its digest: a series, a tarball, a file of a suite. */
export async function uploadFile({ api }: Context, file: string): Promise<Answer> {
  const content = await readFile(file).catch((error: unknown) => error);
  if (!Buffer.isBuffer(content)) throw new FileError(`${file}: cannot be read (${codeOf(content)})`);
  const sha256 = await uploadContent(api, content);
  return { data: { sha256, sizeBytes: content.length }, text: sha256 };
}

async function readRunFile(file: string, stdin: AsyncIterable<unknown>): Promise<string> {
  const content = file === '-' ? await readAll(stdin) : await readFile(file).catch((error: unknown) => error);
  if (!Buffer.isBuffer(content)) throw new FileError(`${file}: cannot be read (${codeOf(content)})`);
  if (content.length > RUN_FILE_MAX_BYTES)
    throw new RunFileError(`${file}: larger than ${RUN_FILE_MAX_BYTES / 1024 / 1024} MiB, so it is no run file`);
  return content.toString('utf8');
}

/** At most a little more than a run file may have: the rest is not read. */
async function readAll(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of stream) {
    const buffer = Buffer.from(piece as Uint8Array | string);
    pieces.push(buffer);
    bytes += buffer.length;
    if (bytes > RUN_FILE_MAX_BYTES) break;
  }
  return Buffer.concat(pieces);
}

function reportText(file: string, { problems, plan, builds, series, unmatched }: SubmissionReport): string {
  const lines = problems.map(({ path, message, remedy, line, column }) => {
    const where = line === undefined ? path : `${file}:${line}:${column ?? 1}`;
    return `${where === '' ? file : where}: ${message}${remedy === undefined ? '' : ` — ${remedy}`}`;
  });
  if (plan.length > 0) {
    const single = plan.filter(({ roles }) => roles.length === 0);
    const rows = single.map((p) => [p.build, machinesText(p), p.combination, p.suites.join(' '), startText(p.start)]);
    if (rows.length > 0) lines.push(table([['BUILD', 'MACHINE', 'COMBINATION', 'SUITES', 'START'], ...rows]));
    const sets = plan.flatMap(({ roles, start }, job) =>
      roles.map((r, at) => [
        at === 0 ? String(job + 1) : '',
        r.role,
        r.build,
        machinesText(r),
        r.combination,
        r.suites.join(' '),
        at === 0 ? startText(start) : '',
      ]),
    );
    if (sets.length > 0)
      lines.push(table([['JOB', 'ROLE', 'BUILD', 'MACHINE', 'COMBINATION', 'SUITES', 'START'], ...sets]));
  }
  lines.push(...builds.map((each) => `${kernelText(each)}: ${buildEstimateText(each)}`));
  lines.push(...series.map((each) => `${each.build}: ${seriesText(each)}`));
  return [...lines, ...unmatched.map(({ machine, why }) => `not on ${machine}: ${why}`)].join('\n');
}
