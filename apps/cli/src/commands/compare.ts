import { renderComparison, renderSizes, runSideText, sizesCsv } from '@peerlab/contracts';
import type { Answer, Context } from '../command.js';
import { runId } from '../short-id.js';

/** What the text of a comparison may be of. */
export const COMPARED_AS = ['all', 'sizes', 'sizes-csv'] as const;
const NO_SIZES = 'no metric of this comparison has a message size';

/**
 * Compares two builds: `RUN`, `RUN~BUILD`. Without `b`, two builds of the run `a`. Markdown for people, the
 * controller's comparison for programs. `as` chooses what the text is of: all, or the metrics by message size.
 */
export async function compare(
  { api }: Context,
  a: string,
  b: string | undefined,
  options: { all: boolean; combination: string | undefined; as: (typeof COMPARED_AS)[number] },
): Promise<Answer> {
  const query = {
    a: await side(api, a),
    b: b === undefined ? undefined : await side(api, b),
    rows: options.all ? ('all' as const) : ('changed' as const),
    combination: options.combination,
  };
  const comparison = await api.call('getCompare', { query });
  switch (options.as) {
    case 'all':
      return { data: comparison, text: renderComparison(comparison).trimEnd() };
    case 'sizes':
      return { data: comparison, text: renderSizes(comparison).trimEnd() || NO_SIZES };
    case 'sizes-csv':
      return { data: comparison, text: sizesCsv(comparison).trimEnd() };
  }
}

/** A side with the whole id of its run. */
async function side(api: Context['api'], text: string): Promise<string> {
  const [run = '', ...build] = text.split('~');
  return runSideText(await runId(api, run), build.length === 0 ? null : build.join('~'));
}
