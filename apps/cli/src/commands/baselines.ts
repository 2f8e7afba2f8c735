import { KNOWN_DAYS_MAX, type Baseline } from '@peerlab/contracts';
import type { Answer, Context } from '../command.js';
import { UsageError } from '../exit-codes.js';
import { shortId, table } from '../render/text.js';
import { findId } from '../short-id.js';

const DAY_MS = 86_400_000;

/** The newest baseline of each suite and base. */
export async function listBaselines({ api }: Context): Promise<Answer> {
  const baselines = await api.call('listBaselines', { query: {} });
  const rows = baselines.map((each) => [
    shortId(each.id),
    each.suite,
    each.base.version,
    String(each.failures),
    standing(each),
    each.by,
    each.reason,
  ]);
  const head = ['BASELINE', 'SUITE', 'BASE', 'FAILURES', 'STANDING', 'BY', 'REASON'];
  return { data: baselines, text: rows.length === 0 ? 'no baseline was accepted' : table([head, ...rows]) };
}

/** Accepts what fails in a suite of an attempt. @param days for which it counts */
export async function acceptBaseline(
  { api }: Context,
  attempt: string,
  suite: string,
  { reason, days }: { reason: string; days: number },
): Promise<Answer> {
  const { id } = await findId(api, attempt, ['attempt']);
  // Less a minute: clocks differ, and the farm refuses an end beyond its maximum.
  const until = new Date(Date.now() + Math.min(days, KNOWN_DAYS_MAX) * DAY_MS - 60_000).toISOString();
  const baseline = await api.call('acceptBaseline', { params: { attempt: id }, body: { suite, reason, until } });
  const { failures, base } = baseline;
  return {
    data: baseline,
    text: `${failures} failures of ${suite} are known on ${base.version} until ${baseline.until}`,
  };
}

/** Withdraws one, by the beginning of its id. */
export async function endBaseline({ api }: Context, text: string): Promise<Answer> {
  const found = (await api.call('listBaselines', { query: {} })).filter(({ id }) => id.startsWith(text.toLowerCase()));
  const [baseline, second] = found;
  if (text.length < 4 || baseline === undefined || second !== undefined)
    throw new UsageError(`"${text}" names no baseline, or several; see "peerlab baselines"`);
  const answer = await api.call('endKnownFailure', { params: { known: baseline.id } });
  return { data: answer, text: `the baseline of ${baseline.suite} on ${baseline.base.version} is withdrawn` };
}

function standing({ ended, until }: Baseline): string {
  if (ended !== null) return `withdrawn by ${ended.by} ${ended.at}`;
  return Date.parse(until) > Date.now() ? `until ${until}` : `ran out ${until}`;
}
