import {
  cleanText,
  SUBJECTS_MAX,
  type BuildSpec,
  type CheckedSeries,
  type ProblemItem,
  type RunSpec,
} from '@peerlab/contracts';
import { readMbox, type MboxContent } from '../builds/series-text.js';

/** Longest subject that a check names, in characters. */
const SUBJECT_MAX = 200;

/**
 * Reads every mbox of a run as the builder will: what it cannot build is a problem of its field, found before any
 * machine waits for it. An alias of YAML gives one text many times; each is read once.
 */
export function checkSeries({ builds }: Pick<RunSpec, 'builds'>): { series: CheckedSeries[]; problems: ProblemItem[] } {
  const known = new Map<string, MboxContent>();
  const series: CheckedSeries[] = [];
  const problems: ProblemItem[] = [];
  for (const [buildIndex, build] of builds.entries()) {
    for (const [index, source] of (build.series ?? []).entries()) {
      if (typeof source !== 'object' || !('mbox' in source)) continue;
      const { mbox } = source;
      const content = known.get(mbox) ?? readMbox(mbox);
      known.set(mbox, content);
      if (content.problem !== null) {
        problems.push({
          path: `builds.${buildIndex}.series.${index}.mbox`,
          message: content.problem,
          remedy:
            'give what git format-patch --stdout prints, all mails of one version; each further series as an entry of its own',
        });
        continue;
      }
      series.push({
        build: build.name,
        buildIndex,
        index,
        patches: content.subjects.length,
        subjects: content.subjects.slice(0, SUBJECTS_MAX).map((subject) => cleanText(subject, SUBJECT_MAX)),
        leftOut: content.leftOut
          .slice(0, SUBJECTS_MAX)
          .map(({ subject, why }) => ({ subject: cleanText(subject, SUBJECT_MAX), why })),
        note: baseNote(content.baseCommit, build),
      });
    }
  }
  return { series, problems };
}

/** A series says what it was made on; a build from something else is worth a word, and no mistake. */
function baseNote(
  baseCommit: string | null,
  { git, tarball, base }: Pick<BuildSpec, 'git' | 'tarball' | 'base'>,
): string | null {
  if (baseCommit === null || git?.ref === baseCommit) return null;
  const short = baseCommit.slice(0, 12);
  if (git !== undefined) return `it was made on ${short}; the build says in its log whether ${git.ref} is that`;
  const other = tarball === undefined ? 'the farm’s base' : 'a tarball';
  return `it was made on ${short}, and is applied to ${base === undefined ? other : `base ${base}`}; name git: {url, ref: ${baseCommit}} to build on that`;
}
