import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { AttemptEvent } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeRepository, type GitServer, startGitDaemon, startGitHttp } from '../fake/git-servers.js';
import { toySourcePatch, writeToySource } from '../fake/toy-kernel.js';
import type { AllowedRepository } from '../source/index.js';
import { BUILDS_MS, type ToyBuild, ToyBuilder } from '../testing/toy-builder.js';

/** Real builds in the sandbox. */
vi.setConfig({ testTimeout: BUILDS_MS, hookTimeout: BUILDS_MS });

let toy: ToyBuilder;
let server: GitServer;
let repository: FakeRepository;
beforeEach(async () => {
  toy = new ToyBuilder();
  repository = new FakeRepository(join(toy.folder, 'served', 'linux'));
  writeToySource(repository.folder);
  repository.commit('the toy');
  server = await startGitDaemon(join(toy.folder, 'served'));
  toy.settings.repositories = allow(server.url('linux'));
});
afterEach(async () => {
  await server.close();
  await toy.remove();
});

const allow = (url: string, credentialFile: string | null = null): AllowedRepository[] => [{ url, credentialFile }];
const failure = ({ events }: ToyBuild) => {
  const end = events.at(-1);
  return end?.type === 'finished' ? end.failure : null;
};
const manifestOf = (build: ToyBuild): Extract<AttemptEvent, { type: 'built' }>['manifest'] => {
  const event = build.events.find((each) => each.type === 'built');
  if (event === undefined)
    throw new Error(`nothing was built: ${JSON.stringify(build.events.at(-1))}\n${build.log('build')}`);
  return event.manifest;
};
const commitOf = ({ events }: ToyBuild): string | undefined =>
  events.flatMap((event) => (event.type === 'build-progress' ? (event.commit ?? []) : []))[0];
const build = (ref: string, url = server.url('linux'), series: { mbox: string }[] = []) =>
  toy.build(series, { source: { git: { url, ref } } });

/** Changes the toy, so that its kernel is another one. */
function change(pages: number): string {
  writeFileSync(join(repository.folder, 'include/linux/memremap.h'), `#define PAGES ${pages}\n`);
  return repository.commit(`${pages} pages`);
}

describe('a git source', () => {
  it('is built at the commit that a branch, a tag, a commit or a pull request is, which the build says', async () => {
    const first = repository.git('rev-parse', 'HEAD');
    repository.git('tag', '--annotate', '--message', 'one', 'v1');
    const second = change(3);
    const pulled = change(4);
    repository.git('update-ref', 'refs/pull/7/head', pulled);
    repository.git('reset', '--quiet', '--hard', second);
    const built = new Map<string, string>();
    for (const [ref, commit] of [
      ['main', second],
      ['v1', first],
      ['refs/tags/v1', first],
      [first, first],
      ['refs/pull/7/head', pulled],
    ] as const) {
      const one = await build(ref);
      expect([ref, commitOf(one)]).toEqual([ref, commit]);
      const { key, base } = manifestOf(one);
      expect(base.version).toBe('7.3.99');
      expect(built.get(commit) ?? key).toBe(key);
      built.set(commit, key);
    }
    expect(new Set(built.values()).size).toBe(3);
  });

  it('takes a series on top', async () => {
    const plain = manifestOf(await build('main'));
    const patched = manifestOf(await build('main', server.url('linux'), [{ mbox: toySourcePatch('more', 9) }]));
    expect(patched.series.map(({ subject }) => subject)).toEqual(['more']);
    expect([patched.base, patched.key === plain.key]).toEqual([plain.base, false]);
  });

  it('says where its functions are, and keeps debug information where the configuration has it', async () => {
    const plain = manifestOf(await build('main'));
    expect(Object.keys(plain.files)).toContain('sources.gz');
    expect(Object.keys(plain.files)).not.toContain('debug/vmlinux');
    const source = { git: { url: server.url('linux'), ref: 'main' } };
    const debug = manifestOf(await toy.build([], { source, fragment: 'CONFIG_DEBUG_INFO=y' }));
    expect(Object.keys(debug.files)).toEqual(expect.arrayContaining(['sources.gz', 'debug/vmlinux']));
    const listed = readFileSync(join(toy.settings.cacheDir, 'bundles', debug.key, 'sources.gz'));
    expect(gunzipSync(listed).toString()).toMatch(/^hmm \d+ mm\/hmm\.c$/m);
  });

  it('that has not moved costs one question, and a commit that was fetched before none', async () => {
    const commit = repository.git('rev-parse', 'HEAD');
    const first = manifestOf(await build('main'));
    const asked = server.requests.length;
    expect(manifestOf(await build('main')).key).toBe(first.key);
    expect(server.requests.length - asked).toBe(1);
    expect(manifestOf(await build(commit)).key).toBe(first.key);
    expect(server.requests.length - asked).toBe(1);
    await server.close();
    expect(manifestOf(await build(commit)).key).toBe(first.key);
  });

  it('is built anew when the branch moved, also to where it was forced', async () => {
    const keys = new Set([manifestOf(await build('main')).key]);
    change(3);
    keys.add(manifestOf(await build('main')).key);
    repository.git('reset', '--quiet', '--hard', 'HEAD~1');
    const forced = change(5);
    const last = await build('main');
    keys.add(manifestOf(last).key);
    expect([keys.size, commitOf(last)]).toEqual([3, forced]);
  });

  it('of the same files has the same kernel, whatever its history is', async () => {
    const { key } = manifestOf(await build('main'));
    repository.git('commit', '--quiet', '--allow-empty', '--message', 'nothing');
    expect(manifestOf(await build('main')).key).toBe(key);
  });

  it('comes over HTTP as well', async () => {
    const http = await startGitHttp(join(toy.folder, 'served'));
    try {
      const url = http.url('linux/.git');
      toy.settings.repositories = allow(url);
      expect(manifestOf(await build('main', url)).base.version).toBe('7.3.99');
      expect(http.requests[0]).toBe('GET /linux/.git/info/refs?service=git-upload-pack');
    } finally {
      await http.close();
    }
  });

  it.each([
    ['nowhere', 'request', /has no branch or tag "nowhere"$/],
    ['refs/pull/8/head', 'request', /has no ref refs\/pull\/8\/head$/],
    ['0123456789012345678901234567890123456789', 'request', /has no commit 0123456789/],
  ])('%s that is not there is a wrong request', async (ref, cause, message) => {
    expect(failure(await build(ref))).toMatchObject({ class: cause, message: expect.stringMatching(message) });
  });

  it('that is a branch and a tag has to say which', async () => {
    repository.git('tag', 'main');
    change(3);
    expect(failure(await build('main'))).toMatchObject({
      class: 'request',
      message: expect.stringMatching(/is a branch and a tag of .*; say which: refs\/heads\/main or refs\/tags\/main$/),
    });
    expect(manifestOf(await build('refs/tags/main')).base.version).toBe('7.3.99');
  });

  it('of a server that is not there, or says nothing, is the lab’s trouble', async () => {
    await server.close();
    expect(failure(await build('main'))).toMatchObject({
      class: 'infrastructure',
      message: expect.stringMatching(
        /the repository git:\/\/127\.0\.0\.1:\d+\/linux cannot be read: .*(?:refused|unable)/,
      ),
    });
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const url = `git://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/linux`;
    toy.settings.repositories = allow(url);
    toy.settings.fetchLimits = { mirrorMiB: 1024, seconds: 2 };
    try {
      expect(failure(await build('0123456789012345678901234567890123456789', url))).toMatchObject({
        class: 'infrastructure',
        message: expect.stringMatching(/^fetching from git:.*: not done after 2\.0 s$/),
      });
    } finally {
      silent.close();
    }
  });

  it('of a repository that the builder does not allow is not even asked for', async () => {
    toy.settings.repositories = allow(server.url('other'));
    expect(failure(await build('main'))).toMatchObject({
      class: 'request',
      message: expect.stringMatching(/does not fetch from git:.*: name it under repositories/),
    });
    expect(server.requests).toEqual([]);
  });

  describe('that asks who wants it', () => {
    const SECRET = 'pa$$w0rd-%41"`;x';
    const [ME, OTHER] = [
      { user: 'me', password: SECRET },
      { user: 'me', password: 'old' },
    ];
    let http: GitServer;
    let file: string;
    beforeEach(async () => {
      http = await startGitHttp(join(toy.folder, 'served'), ME);
      file = join(toy.folder, 'credential');
    });
    afterEach(() => http.close());

    /** Everything that a build said or left, and that others can read. */
    const isSaid = (one: ToyBuild, text: string): boolean =>
      [JSON.stringify(one.events), one.log('build'), one.log('agent')].some((said) => said.includes(text));

    it('gets the credential of the builder, which stands nowhere else', async () => {
      writeFileSync(file, `me:${SECRET}\n`, { mode: 0o600 });
      const url = http.url('linux/.git');
      toy.settings.repositories = allow(url, file);
      const one = await build('main', url);
      expect(manifestOf(one).base.version).toBe('7.3.99');
      expect(isSaid(one, SECRET)).toBe(false);
      // No argument and no environment of any process named it, and no file is left.
      expect(http.seenSecrets).toEqual([]);
      const left = readdirSync(join(toy.settings.cacheDir, 'agent'), { recursive: true, withFileTypes: true });
      const files = left.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
      expect(files.filter((each) => readFileSync(each).includes(SECRET))).toEqual([]);
      expect(files.length).toBeGreaterThan(0);
    });

    it.each([
      ['none', null, null, /cannot be read: .*; give the builder a credentialFile for it$/],
      [
        'a wrong one',
        `me:${OTHER.password}\n`,
        0o600,
        /cannot be read: .*; it refuses what the credentialFile of the builder has$/,
      ],
      [
        'one that all may read',
        `me:${SECRET}\n`,
        0o644,
        /the credential file of .* is readable for others; chmod 600 it$/,
      ],
      ['one that is none', `${SECRET}\n\n`, 0o600, /has to be one line, USER:PASSWORD$/],
    ])('says so where the builder has %s', async (_name, text, mode, message) => {
      if (text !== null && mode !== null) {
        writeFileSync(file, text);
        chmodSync(file, mode);
      }
      const url = http.url('linux/.git');
      toy.settings.repositories = allow(url, text === null ? null : file);
      const one = await build('main', url);
      expect(failure(one)).toMatchObject({ class: 'infrastructure', message: expect.stringMatching(message) });
      expect(isSaid(one, SECRET)).toBe(false);
    });

    it('says so where the file is not there', async () => {
      const url = http.url('linux/.git');
      toy.settings.repositories = allow(url, join(toy.folder, 'no-file'));
      expect(failure(await build('main', url))).toMatchObject({
        class: 'infrastructure',
        message: expect.stringMatching(/the credential file of .* cannot be read \(ENOENT\)$/),
      });
      expect(http.requests).toEqual([]);
    });

    it('is not told the credential of another repository', async () => {
      writeFileSync(file, `me:${SECRET}\n`, { mode: 0o600 });
      const url = http.url('other/.git');
      toy.settings.repositories = [...allow(http.url('linux/.git'), file), ...allow(url)];
      expect(failure(await build('main', url))).toMatchObject({ message: expect.stringMatching(/give the builder/) });
      expect(existsSync(file)).toBe(true);
    });
  });

  it('that redirects to another host is not followed', async () => {
    const { createServer: createHttp } = await import('node:http');
    const http = await startGitHttp(join(toy.folder, 'served'));
    const redirect = createHttp((request, response) => {
      response.writeHead(302, { location: `${http.url('linux/.git')}/info/refs?service=git-upload-pack` }).end();
      request.resume();
    });
    await new Promise<void>((resolve) => redirect.listen(0, '127.0.0.1', resolve));
    const address = redirect.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/linux`;
    toy.settings.repositories = allow(url);
    try {
      expect(failure(await build('main', url))).toMatchObject({ class: 'infrastructure' });
      expect(http.requests).toEqual([]);
    } finally {
      redirect.close();
      await http.close();
    }
  });

  it('runs no hook, no filter and no attribute of the tree', async () => {
    const mark = join(toy.folder, 'ran');
    const hooks = join(repository.folder, 'hooks');
    mkdirSync(hooks);
    for (const name of ['post-checkout', 'post-merge', 'reference-transaction'])
      writeFileSync(join(hooks, name), `#!/bin/sh\ntouch ${mark}\n`, { mode: 0o755 });
    writeFileSync(
      join(repository.folder, '.gitattributes'),
      '* filter=lfs ident export-subst\nmm/hmm.c export-ignore\n*.h eol=crlf\n',
    );
    writeFileSync(
      join(repository.folder, '.gitmodules'),
      '[submodule "x"]\n\tpath = x\n\turl = https://example.org/x\n',
    );
    writeFileSync(join(repository.folder, 'include/linux/id.h'), '/* $Id$ $Format:%H$ */\n');
    repository.commit('attributes');
    const { base } = manifestOf(await build('main'));
    const tree = join(toy.settings.cacheDir, 'agent', 'sources', base.sha256, 'tree');
    expect(readFileSync(join(tree, 'include/linux/id.h'), 'utf8')).toBe('/* $Id$ $Format:%H$ */\n');
    expect(readFileSync(join(tree, 'mm/hmm.c'), 'utf8')).toBe(
      readFileSync(join(repository.folder, 'mm/hmm.c'), 'utf8'),
    );
    expect(() => readFileSync(mark)).toThrow(/ENOENT/);
  });

  it('whose Makefile is a link, or that is no kernel, is a wrong request', async () => {
    repository.git('rm', '--quiet', 'Makefile');
    symlinkSync('/etc/passwd', join(repository.folder, 'Makefile'));
    repository.commit('a link');
    expect(failure(await build('main'))).toMatchObject({
      class: 'request',
      message: expect.stringMatching(/cannot be built: it is no Linux source: there is no file Makefile at its top$/),
    });
  });

  it('changes nothing of the trees that later builds start from', async () => {
    const plain = manifestOf(await build('main'));
    const evil = `touch mm/hmm.c /base/tree/evil; rm -rf /base/tree/mm; echo 'int evil;' >/tree/mm/hmm.c`;
    const makefile = readFileSync(join(repository.folder, 'Makefile'), 'utf8');
    writeFileSync(join(repository.folder, 'Makefile'), `_said := $(shell ${evil})\n${makefile}`);
    repository.commit('evil');
    await build('main');
    writeFileSync(join(repository.folder, 'Makefile'), makefile);
    repository.commit('good');
    toy.uploads.clear();
    expect(manifestOf(await build('main')).files).toEqual(plain.files);
  });
});

describe('a source tarball', () => {
  it('is built by its digest, and one that holds no kernel is a wrong request', async () => {
    const file = join(toy.folder, 'linux.tar.xz');
    execFileSync('tar', ['-cJf', file, '-C', join(toy.folder, 'served'), '--exclude=.git', 'linux']);
    const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
    toy.settings.artifacts.download = async (digest, path) =>
      writeFileSync(path, digest === sha256 ? readFileSync(file) : 'x');
    const built = manifestOf(await toy.build([], { source: { tarball: sha256 } }));
    expect(built.base).toEqual({ version: '7.3.99', sha256 });
    expect(failure(await toy.build([], { source: { tarball: '0'.repeat(64) } }))).toMatchObject({ class: 'request' });
  });
});
