import {
  FRAME_MAX_BYTES,
  mutantBudget,
  type BuildSpec,
  type ProblemItem,
  type RunSpec,
  type SeriesSource,
  type Work,
  type WorkSource,
} from '@peerlab/contracts';

/** kernel/config/peerlab.config, when a build names no other. */
const DEFAULT_CONFIG = 'peerlab';

/** What an assignment has besides its work, in bytes: ids, a fence, and who submitted it. */
const ENVELOPE_BYTES = 1024;
/** Largest work of a build, in bytes of JSON. */
export const BUILD_WORK_MAX_BYTES = FRAME_MAX_BYTES - ENVELOPE_BYTES;

/**
 * What the agent of a build is told to do.
 * @param submitter id of the user's token that submitted the run; null = its compiler cache is kept for no one
 * @param commit what the git source of the build was found to be; null = not looked up yet
 */
export function buildWork(
  build: BuildSpec,
  submitter: string | null,
  commit: string | null,
): Extract<Work, { kind: 'build' }> {
  return {
    kind: 'build',
    buildName: build.name,
    series: build.series ?? [],
    config: build.config ?? DEFAULT_CONFIG,
    ...sourceWork(build, commit),
    ...(build.fragment === undefined ? {} : { fragment: build.fragment }),
    ...(build.configFile === undefined ? {} : { configFile: build.configFile }),
    ...(build.kselftests === undefined ? {} : { kselftests: build.kselftests }),
    ...(build.mutants === undefined ? {} : { mutants: { count: mutantBudget(build.mutants).count } }),
    ...(submitter === null ? {} : { cacheDomain: submitter }),
  };
}

/** A branch that moves between two attempts is built as it was found first. */
function sourceWork({ git, tarball, base }: BuildSpec, commit: string | null): { source?: WorkSource } {
  if (git !== undefined) return { source: { git: commit === null ? git : { url: git.url, ref: commit } } };
  if (base !== undefined) return { source: { base } };
  return tarball === undefined ? {} : { source: { tarball } };
}

/**
 * Builds whose assignment would not fit into a frame: JSON writes some characters of a text as two or six bytes. An
 * alias of YAML gives one text many times; each text is measured once.
 */
export function tooLargeBuilds({ builds }: Pick<RunSpec, 'builds'>): ProblemItem[] {
  const known = new Map<string, number>();
  const bytesOf = (source: SeriesSource): number => {
    if (typeof source === 'string' || !('mbox' in source)) return jsonBytes(source);
    const bytes = known.get(source.mbox) ?? jsonBytes(source);
    known.set(source.mbox, bytes);
    return bytes;
  };
  return builds.flatMap((build, index): ProblemItem[] => {
    const sizes = (build.series ?? []).map(bytesOf);
    // Between two sources stands a comma.
    const bytes = sizes.reduce(
      (sum, size) => sum + size + 1,
      jsonBytes(buildWork({ ...build, series: [] }, null, null)),
    );
    if (bytes <= BUILD_WORK_MAX_BYTES) return [];
    const largest = sizes.indexOf(Math.max(...sizes));
    return [
      {
        path: `builds.${index}.series.${largest}`,
        message: `the patches of the build "${build.name}" have ${bytes} bytes as they are sent to an agent, at most ${BUILD_WORK_MAX_BYTES} are possible`,
        remedy: 'upload this mbox as an artifact and name it here as {artifact: SHA256}',
      },
    ];
  });
}

const jsonBytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
