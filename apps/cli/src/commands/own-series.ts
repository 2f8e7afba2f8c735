import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { HttpClient } from '@peerlab/client';
import { MBOX_MAX, type GitSource, type SeriesSource } from '@peerlab/contracts';
import { runProgram } from '@peerlab/runtime';
import { isMap, isSeq, parseDocument } from 'yaml';
import { FileError, RunFileError } from '../exit-codes.js';
import { codeOf } from '../token.js';

/** What a builder takes as a series, in bytes. */
const SERIES_MAX_BYTES = 64 * 1024 * 1024;
const GIT_MS = 60_000;

/** A series of the person who calls. */
export interface OwnSeries {
  /** How its build is called where the run file has none for it. */
  name: string;
  mbox: Buffer;
  /** What it stands on; null = the farm's base, or what the run file says. */
  on: GitSource | null;
  /** What is no part of it, in words. */
  note: string | null;
}

export interface SeriesOptions {
  series?: string | undefined;
  git?: string | undefined;
  since?: string | undefined;
  on?: string | undefined;
}

/** The series that the options name; null when they name none. Throws FileError and RunFileError. */
export async function readOwnSeries(options: SeriesOptions, stdin: AsyncIterable<unknown>): Promise<OwnSeries | null> {
  if (options.series !== undefined && options.git !== undefined) {
    throw new RunFileError('--series and --git: give one of them');
  }
  if (options.git !== undefined) return seriesOfTree(options.git, options);
  if (options.since !== undefined || options.on !== undefined) throw new RunFileError('--since and --on need --git');
  if (options.series === undefined) return null;
  const { series } = options;
  const mbox = series === '-' ? await readAll(stdin) : await readFile(series).catch((error: unknown) => error);
  if (!Buffer.isBuffer(mbox)) throw new FileError(`${series}: cannot be read (${codeOf(mbox)})`);
  if (mbox.length > SERIES_MAX_BYTES)
    throw new RunFileError(`${series}: larger than ${SERIES_MAX_BYTES / 1024 / 1024} MiB`);
  return { name: series === '-' ? 'series' : nameOf(basename(series)), mbox, on: null, note: null };
}

/** The commits of a local tree since its base, as git format-patch writes them. */
async function seriesOfTree(folder: string, { since, on }: SeriesOptions): Promise<OwnSeries> {
  const git = async (...args: string[]): Promise<string> => {
    const run = await runProgram('git', ['-C', folder, ...args], {
      timeoutMs: GIT_MS,
      outputMaxBytes: SERIES_MAX_BYTES,
    });
    if (run.code === 0) return run.stdout;
    throw new RunFileError(`${folder}: git ${args[0]} failed: ${run.stderr.trim().split('\n').at(-1) ?? ''}`);
  };
  const base =
    since === undefined
      ? await git('merge-base', 'HEAD', '@{upstream}').catch(() => {
          throw new RunFileError(`${folder}: the branch has no upstream to count from; give --since COMMIT`);
        })
      : await git('rev-parse', '--verify', '--quiet', '--end-of-options', `${since}^{commit}`).catch(() => {
          throw new RunFileError(`--since ${since}: ${folder} has no such commit`);
        });
  const commit = base.trim();
  const range = `${commit}..HEAD`;
  if ((await git('rev-list', '--count', range)).trim() === '0')
    throw new RunFileError(`${folder}: no commit since ${commit}`);
  if ((await git('rev-list', '--count', '--merges', range)).trim() !== '0') {
    throw new RunFileError(
      `${folder}: there are merges since ${commit}, which no mail can carry; rebase, or push the branch and name git: {url, ref}`,
    );
  }
  const options = ['--stdout', '--binary', '--full-index', '--no-attach', '--no-cover-letter', `--base=${commit}`];
  const mbox = await git('format-patch', ...options, range);
  const branch = (await git('rev-parse', '--abbrev-ref', 'HEAD')).trim();
  const isClean = (await git('status', '--porcelain', '--untracked-files=no')).trim() === '';
  return {
    name: nameOf(branch),
    mbox: Buffer.from(mbox),
    on: on === undefined ? null : { url: on, ref: commit },
    note: isClean ? null : 'changes that are not committed are left out',
  };
}

const nameOf = (text: string): string =>
  text
    .replace(/\.(?:mbox|patch|txt)$/, '')
    .replaceAll(/[^a-zA-Z0-9_.-]+/g, '-')
    .replace(/^[^a-zA-Z0-9]+/, '')
    .slice(0, 60) || 'series';

/**
 * A run file with the series in it: in the build called "series", else in the last one that is built; without a run file,
 * beside the untouched source.
 */
export async function runWithSeries(api: HttpClient, yaml: string | null, series: OwnSeries): Promise<string> {
  const source = await sourceOf(api, series.mbox);
  if (yaml === null) {
    const on = series.on === null ? {} : { git: series.on };
    const base = { name: 'base', series: [], ...on };
    return JSON.stringify({ name: series.name, builds: [base, { name: series.name, series: [source], ...on }] });
  }
  const document = parseDocument(yaml);
  const builds = document.get('builds');
  const built = isSeq(builds) ? builds.items.filter((item) => isMap(item) && !item.has('bundle')).filter(isMap) : [];
  const build = built.find((item) => item.get('name') === 'series') ?? built.at(-1);
  if (document.errors.length > 0 || build === undefined) {
    throw new RunFileError('the run file has no build that the series could be put into');
  }
  const known = build.get('series');
  if (isSeq(known)) known.add(document.createNode(source));
  else build.set('series', document.createNode([source]));
  if (series.on !== null) build.set('git', document.createNode(series.on));
  return document.toString({ lineWidth: 0, blockQuote: 'literal', doubleQuotedAsJSON: true });
}

/** As text where a run file can carry it unchanged, else as an artifact. */
async function sourceOf(api: HttpClient, mbox: Buffer): Promise<SeriesSource> {
  const text = mbox.toString('utf8');
  const isPlain =
    text.length <= MBOX_MAX / 4 &&
    Buffer.from(text).equals(mbox) &&
    !/[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd]/.test(text);
  return isPlain ? { mbox: text } : { artifact: await uploadContent(api, mbox) };
}

/** Stores a file in the controller; returns its SHA-256, by which run files name it. */
export async function uploadContent(api: HttpClient, content: Buffer): Promise<string> {
  const sha256 = createHash('sha256').update(content).digest('hex');
  await api.upload(sha256, new Uint8Array(content));
  return sha256;
}

async function readAll(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of stream) {
    const buffer = Buffer.from(piece as Uint8Array | string);
    pieces.push(buffer);
    bytes += buffer.length;
    if (bytes > SERIES_MAX_BYTES) break;
  }
  return Buffer.concat(pieces);
}
