import { cleanText, SUBJECTS_MAX, type CheckedSeries, type ProblemItem, type RunSpec } from '@peerlab/contracts';
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
            'give what git format-patch --stdout prints, or leave the build without a series for the untouched base',
        });
        continue;
      }
      series.push({
        build: build.name,
        buildIndex,
        index,
        patches: content.subjects.length,
        subjects: content.subjects.slice(0, SUBJECTS_MAX).map((subject) => cleanText(subject, SUBJECT_MAX)),
      });
    }
  }
  return { series, problems };
}
