import { type BuiltGit, isCommit } from '../schema/kernel-source.js';

/** Digits of a commit that texts for people show. */
const SHORT_COMMIT = 12;

/** The commit that was built, with the name it was found by: `master at 0123456789ab`, `commit 0123456789ab`. */
export function gitText({ ref, commit }: Pick<BuiltGit, 'ref' | 'commit'>): string {
  if (isCommit(ref)) return `commit ${ref.slice(0, SHORT_COMMIT)}`;
  return commit === null ? `${ref}, commit not known yet` : `${ref} at ${commit.slice(0, SHORT_COMMIT)}`;
}

/** The same in full, for tooltips and reports. */
export function gitTitle({ url, ref, commit }: BuiltGit): string {
  const found = commit ?? (isCommit(ref) ? ref : 'not known yet');
  return isCommit(ref) ? `commit ${found} of ${url}` : `commit ${found}, ${ref} of ${url}`;
}
