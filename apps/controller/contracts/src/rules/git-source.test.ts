import { expect, it } from 'vitest';
import { gitText, gitTitle } from './git-source.js';

const url = 'https://example.org/linux.git';
const commit = '0123456789abcdef0123456789abcdef01234567';

it.each([
  [{ ref: 'master', commit }, 'master at 0123456789ab', `commit ${commit}, master of ${url}`],
  [{ ref: commit, commit }, 'commit 0123456789ab', `commit ${commit} of ${url}`],
  [{ ref: commit, commit: null }, 'commit 0123456789ab', `commit ${commit} of ${url}`],
  [{ ref: 'v7.4', commit: null }, 'v7.4, commit not known yet', `commit not known yet, v7.4 of ${url}`],
])('%o is %s', (git, text, title) => {
  expect([gitText(git), gitTitle({ url, ...git })]).toEqual([text, title]);
});
