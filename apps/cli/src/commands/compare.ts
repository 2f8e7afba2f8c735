import { runSideText } from '@peerlab/contracts';
import type { Answer, Context } from '../command.js';
import { renderComparison } from '../render/comparison.js';
import { runId } from '../short-id.js';

/**
 * Compares two builds: `RUN`, `RUN~BUILD`. Without `b`, two builds of the run `a`. Markdown for people, the
 * controller's comparison for programs.
 */
export async function compare(
  { api }: Context,
  a: string,
  b: string | undefined,
  options: { all: boolean; combination: string | undefined },
): Promise<Answer> {
  const query = {
    a: await side(api, a),
    b: b === undefined ? undefined : await side(api, b),
    rows: options.all ? ('all' as const) : ('changed' as const),
    combination: options.combination,
  };
  const comparison = await api.call('getCompare', { query });
  return { data: comparison, text: renderComparison(comparison) };
}

/** A side with the whole id of its run. */
async function side(api: Context['api'], text: string): Promise<string> {
  const [run = '', ...build] = text.split('~');
  return runSideText(await runId(api, run), build.length === 0 ? null : build.join('~'));
}
