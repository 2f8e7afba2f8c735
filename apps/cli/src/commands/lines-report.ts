import type { HttpClient } from '@peerlab/client';
import { carriesMutants, countsLines, type RunDetail } from '@peerlab/contracts';
import { coverageMarkdown } from '../render/coverage.js';
import { mutantsMarkdown } from '../render/mutants.js';
import { kernelsOfRun } from './counting-builds.js';

/** What the tests do to the series' own lines, of the builds whose kernels can tell, as Markdown; empty where there is none. */
export async function linesReport(client: HttpClient, run: RunDetail): Promise<string> {
  const parts: string[] = [];
  for (const { build, manifest } of await kernelsOfRun(client, run)) {
    const call = { params: { build } };
    if (countsLines(manifest)) parts.push(coverageMarkdown(await client.call('getBuildCoverage', call)));
    if (carriesMutants(manifest)) parts.push(mutantsMarkdown(await client.call('getBuildMutants', call)));
  }
  return parts.length === 0 ? '' : `## Lines of the series\n\n${parts.join('\n\n')}\n`;
}
