import { describe, expect, it } from 'vitest';
import { lineUrl, linkPlaces, PUBLIC_SOURCE_HOSTS, SourceHosts, type SourceLinks, sourcePage } from '../index.js';

const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const HOSTS: SourceHosts = { ...PUBLIC_SOURCE_HOSTS, 'git.example.org:8443': 'gitlab', 'forge.lan': 'gitea' };

const linksOf = (url: string, more: Partial<SourceLinks> = {}): SourceLinks => ({
  page: sourcePage({ url, ref: 'master', commit: COMMIT }, HOSTS),
  why: null,
  changed: [],
  folders: {},
  ...more,
});

describe('the page of a line', () => {
  it.each([
    ['https://github.com/torvalds/linux.git', `https://github.com/torvalds/linux/blob/${COMMIT}/mm/hmm.c#L12`],
    ['https://GitHub.com/torvalds/linux/', `https://github.com/torvalds/linux/blob/${COMMIT}/mm/hmm.c#L12`],
    ['https://gitlab.com/a/b/linux.git', `https://gitlab.com/a/b/linux/-/blob/${COMMIT}/mm/hmm.c#L12`],
    ['https://git.example.org:8443/linux', `https://git.example.org:8443/linux/-/blob/${COMMIT}/mm/hmm.c#L12`],
    ['http://forge.lan/k/linux.git', `http://forge.lan/k/linux/src/commit/${COMMIT}/mm/hmm.c#L12`],
    [
      'git://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git',
      `https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/mm/hmm.c?id=${COMMIT}#n12`,
    ],
  ])('%s', (url, address) => {
    expect(lineUrl(linksOf(url), './mm/hmm.c', 12)).toBe(address);
  });

  it('is none of a host that is not allowed, nor of a commit that is not known', () => {
    const page = (url: string, commit: string | null = COMMIT, ref = 'master') =>
      sourcePage({ url, ref, commit }, HOSTS);
    for (const url of [
      'https://evil.example/github.com/linux',
      'https://github.com.evil.example/a/b',
      'https://github.com:444/a/b',
      'https://github.com@evil.example/a/b',
      'javascript://github.com/a',
      'https://__proto__/a/b',
      'https://constructor/a/b',
    ])
      expect(page(url), url).toBeNull();
    expect(page('https://github.com/a/b', null)).toBeNull();
    expect(page('https://github.com/a/b', null, COMMIT)?.commit).toBe(COMMIT);
    expect(SourceHosts.safeParse({ 'GIT.example.org': 'gitlab' }).success).toBe(false);
    expect(SourceHosts.safeParse({ 'git.example.org': 'svn' }).success).toBe(false);
  });

  it('is none where the line is not the one of the commit', () => {
    const links = linksOf('https://github.com/a/b', { changed: ['mm/hmm.c'] });
    expect(lineUrl(links, './mm/hmm.c', 1)).toBeNull();
    expect(lineUrl(links, 'mm/gup.c', 1)).not.toBeNull();
    for (const file of [
      'peerlab/module/provider.c',
      'include/generated/autoconf.h',
      'arch/x86/include/generated/asm/syscalls_64.h',
      '/usr/include/stdio.h',
      '../linux/mm/hmm.c',
      'mm/../../x.c',
      'mm/<script>.c',
      '',
    ])
      expect(lineUrl(links, file, 1), file).toBeNull();
  });
});

describe('places in a message', () => {
  const links = linksOf('https://github.com/a/b');
  const FOLDER = 'tools/testing/selftests/timers';
  const linked = (text: string, folder: string | null = null) =>
    linkPlaces(text, links, folder).flatMap(({ text: shown, url }) =>
      url === null ? [] : [[shown, url.split('/').slice(7).join('/')]],
    );

  it('are those of the tree, and those of a suite in its folder', () => {
    expect(linked('EXPECTATION FAILED at lib/kunit/test.c:41')).toEqual([
      ['lib/kunit/test.c:41', 'lib/kunit/test.c#L41'],
    ]);
    expect(linked('posix.c:7:main:Expected 1 == 2 (posix.c:9)', FOLDER)).toEqual([
      ['posix.c:7', `${FOLDER}/posix.c#L7`],
      ['posix.c:9', `${FOLDER}/posix.c#L9`],
    ]);
    expect(linked('drivers/pci/p2pdma.c:3', FOLDER)).toEqual([['drivers/pci/p2pdma.c:3', 'drivers/pci/p2pdma.c#L3']]);
  });

  it('are no others', () => {
    for (const text of [
      'posix.c:7',
      'tests/test_a.py:12',
      '/usr/lib/x.c:3',
      'http://h/mm/a.c:3',
      'mm/a.cc:3',
      'mm/a.c:x',
    ])
      expect(linked(text), text).toEqual([]);
    expect(linked('../kselftest.h:3 /etc/x.c:1', FOLDER)).toEqual([]);
  });

  it('leave the message as it is', () => {
    const text = 'a lib/x.c:1 b\nlib/y.c:2';
    expect(linkPlaces(text, links, null).map((part) => part.text)).toEqual(['a ', 'lib/x.c:1', ' b\n', 'lib/y.c:2']);
    const long = 'a.c:1 '.repeat(10_000);
    expect(
      linkPlaces(long, links, FOLDER)
        .map((part) => part.text)
        .join(''),
    ).toBe(long);
  });
});
