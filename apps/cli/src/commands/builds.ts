import type { BuildDetail } from '@peerlab/contracts';
import type { Answer, Context } from '../command.js';
import { shortId, table, verdictText } from '../render/text.js';
import { findId } from '../short-id.js';
import { bytesText } from './retention.js';

/** The newest kernel builds. @param limit how many, 1 to 200 */
export async function listBuilds({ api }: Context, limit: number): Promise<Answer> {
  const builds = await api.call('listBuilds', { query: { limit } });
  const rows = builds.map(({ id, name, state, manifest, bundle, createdAt, runName }) => [
    shortId(id),
    state,
    manifest?.release ?? '',
    manifest?.config.name ?? '',
    manifest === null ? '' : String(manifest.patches),
    bundle === null || bundle.removedAt !== null ? '' : bytesText(bundle.sizeBytes),
    createdAt,
    `${name} (${runName})`,
  ]);
  const head = ['BUILD', 'STATE', 'RELEASE', 'CONFIG', 'PATCHES', 'BUNDLE', 'CREATED', 'NAME (RUN)'];
  return { data: builds, text: table([head, ...rows]) };
}

/** One build: what it was made of, its patches, and where it was tested. */
export async function showBuild({ api, colour }: Context, build: string): Promise<Answer> {
  const { id } = await findId(api, build, ['build']);
  const detail = await api.call('getBuild', { params: { build: id } });
  return { data: detail, text: buildText(detail, colour) };
}

function buildText(build: BuildDetail, colour: boolean): string {
  const { manifest, error, missing, patches, jobs } = build;
  const facts = [
    ['build', `${build.name} (${build.id})`],
    ['run', `${build.runName} (${build.runId})`],
    ['state', error === null ? build.state : `${build.state}: ${error.class}: ${error.detail}`],
    ['config', manifest?.config.name ?? build.config ?? ''],
    ['release', manifest?.release ?? ''],
    ['build-id', manifest?.buildId ?? ''],
    ['bundle', manifest?.key ?? ''],
    ['series', missing ?? ''],
  ].filter(([, value]) => value !== '');
  const parts = [table(facts)];
  if (patches.length > 0)
    parts.push(table([['#', 'PATCH'], ...patches.map(({ number, subject }) => [String(number), subject])]));
  if (jobs.length > 0) {
    const rows = jobs.map((job) => [
      job.machine ?? '',
      job.state,
      verdictText(job.verdict, colour),
      job.attemptId === null ? '' : shortId(job.attemptId),
    ]);
    parts.push(table([['TESTED ON', 'STATE', 'VERDICT', 'ATTEMPT'], ...rows]));
  }
  return parts.join('\n\n');
}
