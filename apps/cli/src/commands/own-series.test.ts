import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HttpClient } from '@peerlab/client';
import { RunFile } from '@peerlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readOwnSeries, runWithSeries, type OwnSeries, type SeriesOptions } from './own-series.js';

let folder: string;
const git = (...args: string[]): string =>
  execFileSync('git', ['-C', folder, '-c', 'user.name=A', '-c', 'user.email=a@b', ...args], {
    encoding: 'utf8',
  }).trim();
const commit = (file: string, text: string): string => {
  writeFileSync(join(folder, file), text);
  git('add', '.');
  git('commit', '-qm', `change ${file}`);
  return git('rev-parse', 'HEAD');
};
let base: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tree-'));
  git('init', '-q', '-b', 'my/topic');
  base = commit('a', 'a\n');
  commit('b', 'b\f\n');
  commit('c', 'c\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function* nothing(): AsyncGenerator<never> {
  // An empty standard input.
}
async function* bytes(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}
const read = async (options: SeriesOptions): Promise<OwnSeries> => {
  const series = await readOwnSeries(options, nothing());
  if (series === null) throw new Error('no series');
  return series;
};
/** An API that remembers what is uploaded. */
function store(): { api: HttpClient; uploads: Buffer[] } {
  const uploads: Buffer[] = [];
  const upload = (sha256: string, content: Uint8Array): Promise<{ sha256: string }> => {
    uploads.push(Buffer.from(content));
    return Promise.resolve({ sha256 });
  };
  return { api: { upload } as unknown as HttpClient, uploads };
}

describe('the commits of a local tree', () => {
  it('are those since a commit, with what they stand on', async () => {
    const series = await read({ git: folder, since: base, on: 'https://host/linux.git' });
    expect(series).toMatchObject({ name: 'my-topic', on: { url: 'https://host/linux.git', ref: base }, note: null });
    const text = series.mbox.toString();
    expect(text.match(/^Subject: .*$/gm)).toEqual(['Subject: [PATCH 1/2] change b', 'Subject: [PATCH 2/2] change c']);
    expect(text).toContain(`base-commit: ${base}`);
    writeFileSync(join(folder, 'c'), 'changed\n');
    expect((await read({ git: folder, since: base })).note).toBe('changes that are not committed are left out');
    git('checkout', '-q', '.');
  });

  it.each([
    [{ since: 'HEAD' }, /no commit since/],
    [{ since: '--output=/tmp/x' }, /has no such commit/],
    [{}, /has no upstream to count from; give --since/],
  ])('%j is refused with the remedy', async (options, message) => {
    await expect(read({ git: folder, ...options })).rejects.toThrow(message);
  });

  it('with merges are refused, because mails leave them out', async () => {
    git('checkout', '-q', '-b', 'side', base);
    commit('d', 'd\n');
    git('checkout', '-q', 'my/topic');
    git('merge', '-q', '--no-ff', '-m', 'a merge', 'side');
    await expect(read({ git: folder, since: base })).rejects.toThrow(/there are merges since/);
    git('reset', '-q', '--hard', 'HEAD^1');
  });
});

describe('a run with a series', () => {
  const series = (text: string): OwnSeries => ({ name: 's', mbox: Buffer.from(text, 'latin1'), on: null, note: null });

  it('has the untouched source beside it where no run file is given', async () => {
    const { api } = store();
    const on = { url: 'https://host/linux.git', ref: base };
    const yaml = await runWithSeries(api, null, { ...series('From x\n'), on });
    expect(RunFile.parse(parse(yaml)).builds).toMatchObject([
      { name: 'base', series: [], git: on },
      { name: 's', series: [{ mbox: 'From x\n' }], git: on },
    ]);
  });

  it('goes into the build "series" of a run file, whose comments stay', async () => {
    const { api } = store();
    const yaml = await runWithSeries(
      api,
      'name: r # why\nbuilds:\n  - {name: series, series: [bundled]}\n  - {name: z, series: []}\n',
      series('x\n'),
    );
    expect(yaml).toContain('# why');
    expect(RunFile.parse(parse(yaml)).builds).toMatchObject([{ series: ['bundled', { mbox: 'x\n' }] }, { series: [] }]);
    await expect(
      runWithSeries(api, `name: r\nbuilds: [{name: b, bundle: ${'a'.repeat(64)}}]\n`, series('x')),
    ).rejects.toThrow(/no build that the series could be put into/);
  });

  it('is uploaded where text would change it', async () => {
    for (const odd of ['a\0b', 'J\xf6rg', 'a\fb', 'a\r\nb']) {
      const { api, uploads } = store();
      const yaml = await runWithSeries(api, null, series(odd));
      expect(yaml).toMatch(/"artifact":"[0-9a-f]{64}"/);
      expect(uploads).toEqual([Buffer.from(odd, 'latin1')]);
    }
  });
});

it('a series comes from a file or standard input, and never from two places', async () => {
  expect(await readOwnSeries({ series: '-' }, bytes('x'))).toMatchObject({ name: 'series', mbox: Buffer.from('x') });
  await expect(read({ series: join(folder, 'none.mbox') })).rejects.toThrow(/cannot be read \(ENOENT\)/);
  await expect(read({ series: 'x', git: folder })).rejects.toThrow(/give one of them/);
  await expect(read({ on: 'x' })).rejects.toThrow(/need --git/);
  expect(await readOwnSeries({}, nothing())).toBeNull();
});
