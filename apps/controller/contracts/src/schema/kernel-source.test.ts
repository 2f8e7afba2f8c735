import { describe, expect, it } from 'vitest';
import { BaseName, ConfigFragment, GitRef, RepositoryUrl } from './kernel-source.js';
import { BuildSpec } from './run-spec.js';

const why = (schema: typeof GitRef, text: unknown): string | null =>
  schema.safeParse(text).error?.issues[0]?.message ?? null;

describe('the address of a repository', () => {
  it.each([
    'https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git',
    'git://127.0.0.1:9418/linux',
    'http://[::1]:8080/~user/linux_next+x/',
  ])('%s is one', (url) => expect(why(RepositoryUrl, url)).toBeNull());

  it.each([
    ['https://user:secret@host/linux.git', /must not carry a user or a password/],
    ['ssh://host/linux.git', /^ssh:\/\/ is not fetched/],
    ['file:///etc/passwd', /^file:\/\/ is not fetched/],
    ['ext::sh -c touch', /expected a URL/],
    ['--upload-pack=touch x://y', /is not fetched/],
    ['https://host/a b', /expected a host and a path/],
    ['https://host/../x', /expected a host and a path/],
    ['https://host/x?y=1', /expected a host and a path/],
    ['https://host', /expected a host and a path/],
  ])('%s is none', (url, message) => expect(why(RepositoryUrl, url)).toMatch(message));
});

describe('a ref', () => {
  it.each(['main', 'v7.3-rc1', 'refs/pull/7/head', 'for-next/mm', 'a'.repeat(40), 'deadbeef', '1234567'])(
    '%s is one',
    (ref) => expect(why(GitRef, ref)).toBeNull(),
  );
  it.each([
    ['-x', /does not begin with/],
    ['main:refs/heads/x', /no blanks and none of/],
    ['a..b', /expected a branch/],
    ['v1^{}', /none of/],
    ['x/.git', /begins with a dot/],
    ['0123abc', /abbreviated commit cannot be fetched/],
    ['HEAD', /expected a branch/],
  ])('%s is none', (ref, message) => expect(why(GitRef, ref)).toMatch(message));
});

describe('a fragment', () => {
  it('has settings, comments and blank lines', () => {
    const text = '# why\n\nCONFIG_A=y\nCONFIG_B_64=0x1000\nCONFIG_C="a b"\n# CONFIG_D is not set\nCONFIG_E=-1\n';
    expect(why(ConfigFragment, text)).toBeNull();
  });
  it.each(['A=y', 'CONFIG_A = y', 'CONFIG_A="a\\"b"', '# CONFIG_A=y', 'CONFIG_A=y; rm', 'source "x"'])(
    '%s is no setting',
    (line) => expect(why(ConfigFragment, `CONFIG_X=y\n${line}`)).toMatch(/^line 2, /),
  );
});

it('a build has one source', () => {
  const git = { url: 'https://host/linux.git', ref: 'main' };
  const [tarball, base] = ['a'.repeat(64), '7.2'];
  const ok = (build: object): boolean => BuildSpec.safeParse({ name: 'b', ...build }).success;
  const wrong = [
    {},
    { git, tarball },
    { git, bundle: tarball },
    { git, base },
    { base, tarball },
    { base, bundle: tarball },
  ];
  expect(wrong.map(ok)).toEqual(wrong.map(() => false));
  const right = [
    { git },
    { git, series: [] },
    { tarball, series: ['bundled'] },
    { base },
    { base, series: ['bundled'] },
  ];
  expect(right.map(ok)).toEqual(right.map(() => true));
});

it('a base is a name, and no number: 7.10 and 7.1 would be the same', () => {
  expect(why(BaseName, 7.1)).toBe('expected the name of a base as text, in quotes: "7.2"');
  expect(['7.2', '../7.2', ''].map((name) => why(BaseName, name) === null)).toEqual([true, false, false]);
});
