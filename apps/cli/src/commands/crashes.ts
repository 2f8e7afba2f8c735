import { CRASHES_MAX, type CrashDetail, type CrashSummary } from '@peerlab/contracts';
import type { HttpClient } from '@peerlab/client';
import type { Answer, Context } from '../command.js';
import { UsageError } from '../exit-codes.js';
import { shortId, table } from '../render/text.js';
import { findId } from '../short-id.js';

/** Crashes over all runs, those that were seen last first. @param q part of their titles */
export async function listKnownCrashes({ api }: Context, q: string | undefined, limit: number): Promise<Answer> {
  const { crashes, total } = await api.call('listCrashes', { query: { limit, ...(q === undefined ? {} : { q }) } });
  const rows = crashes.map(({ key, severity, count, combinations, first, last, title, corrupted }) => [
    shortId(key),
    severity,
    String(count),
    String(combinations),
    `${first.at} ${first.build}`,
    last.at,
    corrupted ? `${title} (corrupted)` : title,
  ]);
  const head = ['CRASH', 'SEVERITY', 'ATTEMPTS', 'COMBINATIONS', 'SINCE', 'LAST', 'TITLE'];
  const lines = [total === 0 ? 'no log has such a crash' : table([head, ...rows])];
  if (total > crashes.length) lines.push(`${total - crashes.length} more`);
  return { data: { crashes, total }, text: lines.join('\n') };
}

/** One crash: since when, where, and where not before. */
export async function showCrash({ api }: Context, text: string): Promise<Answer> {
  const { key } = await findCrash(api, text);
  const crash = await api.call('getCrash', { params: { crash: key } });
  return { data: crash, text: crashText(crash) };
}

/** A crash of an attempt as a report for a mailing list; without an attempt, of the newest one that had it. */
export async function mailCrash({ api }: Context, text: string, attempt: string | undefined): Promise<Answer> {
  const crash = await findCrash(api, text);
  const of = attempt === undefined ? crash.last.attemptId : (await findId(api, attempt, ['attempt'])).id;
  const mail = await api.call('getCrashMail', { params: { attempt: of, crash: crash.key }, query: {} });
  return { data: mail, text: `Subject: ${mail.subject}\n\n${mail.body}` };
}

/** By the beginning of its key, or by its whole title. */
async function findCrash(api: HttpClient, text: string): Promise<CrashSummary> {
  const { crashes } = await api.call('listCrashes', { query: { limit: CRASHES_MAX } });
  const found = crashes.filter(({ key, title }) => title === text || (text.length >= 4 && key.startsWith(text)));
  const [crash, second] = found;
  if (crash !== undefined && second === undefined) return crash;
  if (crash === undefined) throw new UsageError(`no crash has the key or title ${text}; see "peerlab crashes"`);
  const list = found.map(({ key, title }) => `  ${key}  ${title}`);
  throw new UsageError(`several crashes have keys that begin with ${text}; give more of it:\n${list.join('\n')}`);
}

function crashText(crash: CrashDetail): string {
  const { first, last } = crash;
  const facts = [
    ['crash', crash.key],
    ['title', crash.title],
    ['type', `${crash.type}, ${crash.severity}${crash.corrupted ? ', corrupted' : ''}`],
    ['seen', `${crash.count} attempts, ${crash.combinations} combinations, ${crash.kernels} kernels`],
    ['first', `${first.at} build ${first.build} (attempt ${shortId(first.attemptId)})`],
    ['last', `${last.at} build ${last.build} (attempt ${shortId(last.attemptId)})`],
    ['taint', crash.taint ?? ''],
  ].filter(([, value]) => value !== '');
  const parts = [table(facts)];
  if (crash.frames.length > 0) parts.push(crash.frames.map((frame) => `  ${frame}`).join('\n'));
  const places = crash.places.map(({ combination, count, first: since, lastGood }) => [
    combination?.label ?? 'no combination',
    String(count),
    `${since.at} ${since.build}`,
    lastGood === null ? 'none' : `${lastGood.at} ${lastGood.build} (attempt ${shortId(lastGood.attemptId)})`,
  ]);
  parts.push(table([['COMBINATION', 'ATTEMPTS', 'FIRST BAD', 'LAST GOOD'], ...places]));
  if (crash.tests.length > 0) {
    parts.push(
      table([['TEST', 'ATTEMPTS'], ...crash.tests.map((each) => [`${each.suite}/${each.test}`, String(each.count)])]),
    );
  }
  return parts.join('\n\n');
}
