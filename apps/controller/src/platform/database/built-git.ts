/** SQL: the git source of build `b` with the commit that it was found to be, as BuiltGit; null for other sources. */
export const BUILT_GIT = `(b.spec -> 'git') || jsonb_build_object('commit', b.commit)`;
