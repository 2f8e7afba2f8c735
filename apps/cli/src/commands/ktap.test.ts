import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../exit-codes.js';
import { runProgram } from '../program.js';

const FAILED = [
  '[    1.000000] KTAP version 1',
  '[    1.000000] 1..2',
  '[    1.000000]   KTAP version 1',
  '[    1.000000]   1..2',
  '[    1.000000]   ok 1 a',
  '[    1.000001] eth0: link up',
  '[    1.000000]   not ok 2 b # exit=1',
  '[    1.000000] ok 1 one',
].join('\r\n');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peerlab-ktap-'));
  await writeFile(join(folder, 'failed.log'), FAILED);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function peerlab(words: string[], stdin: string[] = []) {
  const written = { out: '', err: '' };
  const sink = (to: 'out' | 'err') =>
    new Writable({
      decodeStrings: false,
      write(piece, _, done) {
        written[to] += String(piece);
        done();
      },
    });
  const input = (async function* () {
    for (const piece of stdin) yield await Promise.resolve(Buffer.from(piece));
  })();
  const env = { PEERLAB_URL: 'http://127.0.0.1:1', PEERLAB_TOKEN: 'none', PEERLAB_STATE: folder };
  const code = await runProgram(words, { stdin: input, stdout: sink('out'), stderr: sink('err'), env });
  return { code, ...written };
}

describe('ktap', () => {
  it('prints tree and totals as JSON, and says by its exit code that something failed', async () => {
    const { code, out } = await peerlab(['ktap', join(folder, 'failed.log'), '--json']);
    const { tree, totals, ...more } = JSON.parse(out);
    expect(more).toEqual({});
    expect(totals).toEqual({ pass: 1, fail: 1, skip: 0, crashed: 1, errors: 1 });
    expect(tree).toMatchObject({
      status: 'crashed',
      errors: ['1 of 2 planned tests have no result'],
      children: [{ path: 'one', status: 'fail', children: [{ path: 'one/a' }, { path: 'one/b', line: 7 }] }],
    });
    expect(code).toBe(EXIT.findings);
  });

  it('prints an indented tree for people, from standard input too', async () => {
    const { code, out } = await peerlab(['ktap', '-'], ['TAP version 13\n1..1\nok 1 a # SK', 'IP no device\n']);
    expect(out).toBe('skip    a: no device\n0 pass, 0 fail, 1 skip, 0 crashed, 0 errors\n');
    expect(code).toBe(EXIT.done);
    expect((await peerlab(['ktap', join(folder, 'failed.log')])).out).toBe(
      [
        'fail    one',
        '  ! says ok, but 1 of its sub-tests failed',
        '  pass    a',
        '  fail    b: exit=1',
        '  ! 1 of 2 planned tests have no result',
        '1 pass, 1 fail, 0 skip, 1 crashed, 1 errors',
        '',
      ].join('\n'),
    );
  });

  it('is no pass without a test, and names a file that cannot be read', async () => {
    expect(await peerlab(['ktap', '-'], [''])).toMatchObject({ code: EXIT.findings });
    const { code, err } = await peerlab(['ktap', join(folder, 'missing')]);
    expect([code, err]).toEqual([EXIT.noInput, `peerlab: ${join(folder, 'missing')}: cannot be read (ENOENT)\n`]);
    expect((await peerlab(['ktap', folder])).code).toBe(EXIT.noInput);
  });
});
