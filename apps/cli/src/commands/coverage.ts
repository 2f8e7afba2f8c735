import { countsLines, type BuildCoverage } from '@peerlab/contracts';
import type { Answer, Context } from '../command.js';
import { UsageError } from '../exit-codes.js';
import { coverageMarkdown, coverageText } from '../render/coverage.js';
import { findId } from '../short-id.js';

/** Builds of a run that are looked at; a run has fewer. */
const BUILDS_MAX = 200;

/** Which lines of its series the tests of a build ran, or those of each build of a run that counts. */
export async function showCoverage(
  { api }: Context,
  what: string,
  { markdown }: { markdown: boolean },
): Promise<Answer> {
  const found = await findId(api, what, ['run', 'build']);
  const ids = found.kind === 'build' ? [found.id] : await countingBuilds(api, found.id);
  if (ids.length === 0) {
    throw new UsageError(
      'no kernel of this run counts which lines of its series run; a build with "config: coverage", or with CONFIG_GCOV_KERNEL=y in its fragment, does',
    );
  }
  const all: BuildCoverage[] = [];
  for (const build of ids) all.push(await api.call('getBuildCoverage', { params: { build } }));
  const render = markdown ? coverageMarkdown : coverageText;
  return { data: found.kind === 'build' ? all[0] : all, text: all.map(render).join('\n\n') };
}

async function countingBuilds(api: Context['api'], run: string): Promise<string[]> {
  const { jobViews } = await api.call('getRun', { params: { run } });
  const ids = [...new Set(jobViews.map(({ buildId }) => buildId))].slice(0, BUILDS_MAX);
  const counting: string[] = [];
  for (const build of ids) {
    const { manifest } = await api.call('getBuild', { params: { build } });
    if (manifest !== null && countsLines(manifest)) counting.push(build);
  }
  return counting;
}
