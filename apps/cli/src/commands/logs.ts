import { setTimeout as delay } from 'node:timers/promises';
import type { HttpClient } from '@peerlab/client';
import {
  type AttemptDetail,
  type JobView,
  LOG_LINE_MAX,
  type LogStream,
  sidesOfJob,
  sidesText,
} from '@peerlab/contracts';
import { UsageError } from '../exit-codes.js';
import { findId } from '../short-id.js';

/** Pause before a followed stream is read again when it had no new lines, in milliseconds. */
const FOLLOW_POLL_MS = 500;

/** Whose log is meant. */
export interface LogOwner {
  attempt: string;
  /** Null = the participant whose log the controller shows unless told otherwise. */
  role: string | null;
}

/**
 * The log that an id names: of the attempt itself, or of the newest attempt of a run with one test job, or of its job on
 * `machine`. With `machine` it is the log of that machine where an attempt has several. Throws a UsageError that lists
 * the attempts when there are several.
 */
export async function resolveLog(
  client: HttpClient,
  text: string,
  { machine, role }: { machine: string | undefined; role: string | undefined },
): Promise<LogOwner> {
  const { kind, id } = await findId(client, text, ['attempt', 'run']);
  if (kind === 'attempt') {
    if (machine === undefined) return { attempt: id, role: role ?? null };
    const { participants } = await client.call('getAttempt', { params: { attempt: id } });
    return { attempt: id, role: role ?? roleOn(participants, machine) };
  }
  const run = await client.call('getRun', { params: { run: id } });
  const jobs = run.jobViews.filter(
    ({ attempts }) =>
      attempts.length > 0 &&
      (machine === undefined || attempts.at(-1)?.participants.some((each) => each.machine === machine) === true),
  );
  const tests = jobs.filter((job) => job.kind === 'test');
  const candidates = tests.length > 0 ? tests : jobs;
  const attempt = candidates[0]?.attempts.at(-1);
  if (candidates.length === 1 && attempt !== undefined)
    return {
      attempt: attempt.id,
      role: role ?? (machine === undefined ? null : roleOn(attempt.participants, machine)),
    };
  if (candidates.length === 0)
    throw new UsageError(`run ${id} has no attempt${machine === undefined ? '' : ` on ${machine}`} yet`);
  const list = candidates.map((job) => `  ${job.attempts.at(-1)?.id}  ${placeOf(job)}`);
  throw new UsageError(`run ${id} has several attempts; name one, or --machine:\n${list.join('\n')}`);
}

type Participants = Pick<AttemptDetail['participants'][number], 'machine' | 'role'>[];

function roleOn(participants: Participants, machine: string): string {
  const found = participants.find((each) => each.machine === machine);
  if (found !== undefined) return found.role;
  const machines = participants.flatMap((each) => each.machine ?? []).join(', ');
  throw new UsageError(`--machine ${machine}: this attempt was on ${machines || 'no machine'}`);
}

/** Machine and build; with several machines the kernel and the machine of each role. */
function placeOf(job: JobView): string {
  const sides = sidesOfJob(job);
  return sides === null ? `${job.machine ?? job.kind} / ${job.build}` : sidesText(sides);
}

/**
 * Prints stored lines of one stream, from sequence `from` on; with `follow` until the attempt has ended. With `json`
 * each stored line is one line with a JSON object.
 */
export async function printLog(
  client: HttpClient,
  { attempt, role }: LogOwner,
  stream: LogStream,
  options: { from: number; follow: boolean; timestamps: boolean; json: boolean },
  write: (text: string) => void,
): Promise<void> {
  let next = options.from;
  let isOpen = false;
  for (;;) {
    const query = { stream, from: next, limit: 10_000, ...(role === null ? {} : { role }) };
    const page = await client.call('getLog', { params: { attempt }, query });
    if (page.removedAt !== null) throw new Error(`retention removed this log at ${page.removedAt}; the results remain`);
    for (const line of page.lines) {
      next = line.seq + 1;
      if (options.json) {
        write(`${JSON.stringify(line)}\n`);
        continue;
      }
      // The parts of a long line are joined again.
      const isPart = line.continues === true && isOpen;
      const stamp = options.timestamps && !isPart ? `${new Date(line.at).toISOString()} ` : '';
      write(`${isOpen && !isPart ? '\n' : ''}${stamp}${line.text}`);
      isOpen = true;
    }
    const isEnd = next >= page.total && (page.complete || !options.follow);
    // Only a line of the full length may continue in the next page; every other line is ended at once.
    const mayGoOn = (page.lines.at(-1)?.text.length ?? 0) >= LOG_LINE_MAX - 1;
    if (isOpen && (isEnd || !mayGoOn)) {
      write('\n');
      isOpen = false;
    }
    if (isEnd) return;
    if (page.lines.length === 0) await delay(FOLLOW_POLL_MS);
  }
}
