import { chmod, lstat, mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { chooseMails, cutText, subjectTags } from '@peerlab/contracts';
import { z } from 'zod';
import { BuildFailed } from './build-failed.js';
import type { BuildScriptEnd } from './build-script.js';
import { JobFailure } from './failure.js';

/** mails.json of kernel/scripts/split-series.pl: what git makes of each mail, in their order. */
const Mails = z
  .array(
    z.object({
      subject: z.string().max(2000),
      hasDiff: z.boolean(),
      messageId: z.string().max(1000).nullable(),
      baseCommit: z.string().max(64).nullable(),
      prerequisites: z.array(z.string().max(64)).max(100),
      patchId: z.string().max(64).nullable(),
    }),
  )
  .max(1000);
type Mails = z.infer<typeof Mails>;

const MAILS_MAX_BYTES = 4 * 1024 * 1024;
/** Longest part of a subject in the name of a patch. */
const SLUG_MAX = 52;

/** The patches of one mbox, and what its mails say of the tree that they are for. */
export interface SeriesMails {
  /** Mails that are no part of it, as lines for the log. */
  leftOut: string[];
  baseCommit: string | null;
  /** Patches, by git patch-id, that the series says come before it. */
  prerequisites: string[];
  patchIds: string[];
}

/**
 * Takes the patches of a series out of what `split-series.pl --mails` left in a folder that a sandbox wrote.
 * @param into the folder that gets them, named so that their order is that of the series
 * @throws JobFailure `request` when the mails are no series, BuildFailed for a patch that is refused
 */
export async function takeMails(end: BuildScriptEnd, from: string, into: string): Promise<SeriesMails> {
  const [kind, label = '', detail = ''] = end.outputLines.at(-1)?.split('\t') ?? [];
  if (end.code !== 0 && kind === 'error') throw new BuildFailed({ class: 'apply', patch: label, detail });
  if (end.code !== 0)
    throw new JobFailure('harness', `the mails could not be read: ${end.lastStderrLine ?? 'no reason'}`);
  const mails = await readMails(join(from, 'mails.json'));
  const { take, leftOut, problem } = chooseMails(mails);
  if (problem !== null) throw new JobFailure('request', problem);
  await mkdir(into);
  await chmod(into, 0o755);
  for (const [at, index] of take.entries()) {
    const path = join(from, `${String(index + 1).padStart(4, '0')}.patch`);
    const entry = await lstat(path);
    if (!entry.isFile() || entry.nlink !== 1) throw new JobFailure('harness', 'a patch is no plain file');
    await chmod(path, 0o644);
    await rename(path, join(into, `${String(at + 1).padStart(4, '0')}-${slugOf(mails[index]?.subject ?? '')}.patch`));
  }
  return {
    leftOut: leftOut.map(({ subject, why }) => `"${cutText(subject, 120)}": ${why}`),
    baseCommit: mails.find(({ baseCommit }) => baseCommit !== null)?.baseCommit ?? null,
    prerequisites: [...new Set(mails.flatMap(({ prerequisites }) => prerequisites))],
    patchIds: take.flatMap((index) => mails[index]?.patchId ?? []),
  };
}

async function readMails(file: string): Promise<Mails> {
  const entry = await lstat(file);
  if (!entry.isFile() || entry.size > MAILS_MAX_BYTES) throw new JobFailure('harness', 'mails.json is no plain file');
  const parsed = Mails.safeParse(JSON.parse(await readFile(file, 'utf8')));
  if (parsed.success) return parsed.data;
  throw new JobFailure('harness', `mails.json cannot be read: ${parsed.error.issues[0]?.message ?? ''}`);
}

function slugOf(subject: string): string {
  const slug = subjectTags(subject)
    .title.toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, SLUG_MAX);
  return slug.replace(/^-/, '').replace(/-$/, '') || 'patch';
}

/**
 * What the mails of a build want to stand on and do not, in words.
 * @param series in the order that they are applied
 * @param commit what is built; null = a source that is no commit
 */
export function unmetBases(series: readonly SeriesMails[], commit: string | null): string[] {
  const applied = new Set<string>();
  return series.flatMap(({ baseCommit, prerequisites, patchIds }) => {
    const missing = prerequisites.filter((id) => !applied.has(id));
    for (const id of patchIds) applied.add(id);
    const base =
      baseCommit === null || baseCommit === commit
        ? []
        : [`the series was made on commit ${baseCommit}, which is not what is built (${commit ?? 'no commit'})`];
    return [...base, ...missing.map((id) => `the prerequisite patch ${id} is not among the series before it`)];
  });
}
