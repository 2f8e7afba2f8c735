import { createHash } from 'node:crypto';
import { canonicalJson, isCommit, mutantBudget, parsePatch, type BuildSpec } from '@peerlab/contracts';

/**
 * How much of a kernel a build compiles, for estimates. The builder keeps built trees, so what counts is what the
 * series touches: a header that everything includes makes nearly everything anew.
 */
const SIZES = ['base', 'mutant', 'narrow', 'artifact', 'bundled', 'wide'] as const;

/** Names of files that most of a kernel depends on. */
const WIDE = /(?:^|\/)(?:include\/|Kconfig|Makefile$|Kbuild)/;

/**
 * What two builds have in common when they are the same kernel, as far as a controller can tell; a digest. What was
 * submitted is taken from the cache for its submitter alone (build-bundle.sh --domain).
 * @param submitter id of the user's token; null = no submitter
 * @returns empty for a ready bundle, which is not built, and for a branch
 */
export function inputsOf(build: BuildSpec, submitter: string | null): string {
  const { series = [], config, configFile, git, tarball, base, fragment, mutants, bundle } = build;
  // What a branch will be is not known before it is built.
  if (bundle !== undefined || (git !== undefined && !isCommit(git.ref))) return '';
  const own = {
    ...(git && { git }),
    ...(tarball && { tarball }),
    ...(fragment && { fragment }),
    ...(configFile && { configFile }),
  };
  const isSubmitted =
    Object.keys(own).length > 0 || series.some((source) => typeof source === 'object' && !('mutant' in source));
  const made = mutants === undefined ? {} : { mutants: mutantBudget(mutants).count };
  const on = base === undefined ? {} : { base };
  const inputs = { series, config: config ?? null, ...own, ...on, ...made, domain: isSubmitted ? submitter : null };
  return createHash('sha256').update(canonicalJson(inputs)).digest('hex');
}

/**
 * Which builds take about as long: configuration, and the widest of the sources. The patches of an uploaded mbox are not
 * read; it is a size of its own.
 */
export function sizeOf({ series = [], config, configFile, git, tarball, base, bundle }: BuildSpec): string {
  if (bundle !== undefined) return '';
  if (configFile !== undefined) return 'file tree';
  // Nothing of such a tree is compiled yet, but what the compiler cache has.
  if (git !== undefined || tarball !== undefined) return `${config ?? 'default'} tree`;
  const widest = Math.max(0, ...series.map((source) => SIZES.indexOf(sourceSize(source))));
  // Each base has trees of its own.
  return `${config ?? 'default'} ${SIZES[widest] ?? 'base'}${base === undefined ? '' : ` on ${base}`}`;
}

function sourceSize(source: NonNullable<BuildSpec['series']>[number]): (typeof SIZES)[number] {
  if (source === 'bundled') return 'bundled';
  if ('mutant' in source) return 'mutant';
  if ('artifact' in source) return 'artifact';
  return touched(source.mbox).some((path) => WIDE.test(path)) ? 'wide' : 'narrow';
}

const touched = (mbox: string): string[] => parsePatch(mbox, { lines: false }).files.map(({ path }) => path);
