import { countsLines, type BuildCoverage } from '@peerlab/contracts';
import type { Answer, Context } from '../command.js';
import { UsageError } from '../exit-codes.js';
import { coverageMarkdown, coverageText } from '../render/coverage.js';
import { findBuilds } from './counting-builds.js';

/** Which lines of its series the tests of a build ran, or those of each build of a run that counts. */
export async function showCoverage(
  { api }: Context,
  what: string,
  { markdown }: { markdown: boolean },
): Promise<Answer> {
  const { kind, builds } = await findBuilds(api, what, countsLines);
  if (builds.length === 0) {
    throw new UsageError(
      'no kernel of this run counts which lines of its series run; a build with "config: coverage", or with CONFIG_GCOV_KERNEL=y in its fragment, does',
    );
  }
  const all: BuildCoverage[] = [];
  for (const build of builds) all.push(await api.call('getBuildCoverage', { params: { build } }));
  const render = markdown ? coverageMarkdown : coverageText;
  return { data: kind === 'build' ? all[0] : all, text: all.map(render).join('\n\n') };
}
