import { carriesMutants, type BuildMutants } from '@peerlab/contracts';
import type { Answer, Context } from '../command.js';
import { UsageError } from '../exit-codes.js';
import { mutantsMarkdown, mutantsText } from '../render/mutants.js';
import { findBuilds } from './counting-builds.js';

/** Which mutants of its series the tests of a build notice, or of each build of a run that carries some. */
export async function showMutants(
  { api }: Context,
  what: string,
  { markdown }: { markdown: boolean },
): Promise<Answer> {
  const { kind, builds } = await findBuilds(api, what, carriesMutants);
  if (builds.length === 0) {
    throw new UsageError('no kernel of this run carries mutants of its series; a build with "mutants: auto" does');
  }
  const all: BuildMutants[] = [];
  for (const build of builds) all.push(await api.call('getBuildMutants', { params: { build } }));
  const render = markdown ? mutantsMarkdown : mutantsText;
  return { data: kind === 'build' ? all[0] : all, text: all.map(render).join('\n\n') };
}
