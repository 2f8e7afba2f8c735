import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileError } from '../exit-codes.js';
import { listCrashes } from './crash.js';

const LOG = [
  '[    0.000000] Linux version 7.3.4-peerlab',
  '[   12.200300] BUG: KASAN: slab-use-after-free in p2pvram_map+0x1c4/0x2e0 [p2pvram]',
  '[   12.200301] Read of size 8 at addr ffff888104a2c018 by task p2p-test/412',
  '[   12.200302] Call Trace:',
  '[   12.200303]  <TASK>',
  '[   12.200304]  \u001b[31mp2pvram_map+0x1c4/0x2e0\u001b[0m',
  '[   12.200305]  </TASK>',
  '[   12.200306] Kernel panic - not syncing: KASAN: panic_on_warn set ...',
  '[   13.000000] Kernel panic - not syncing: Fatal exception',
].join('\r\n');

describe('peerlab crash', () => {
  let folder = '';
  beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'peerlab-crash-'))));
  afterAll(async () => rm(folder, { recursive: true, force: true }));

  async function* pieces(text: string, size: number): AsyncGenerator<Buffer> {
    for (let at = 0; at < text.length; at += size) yield await Promise.resolve(Buffer.from(text.slice(at, at + size)));
  }

  it('lists the reports of a file and of standard input, however it arrives', async () => {
    const file = join(folder, 'console.log');
    await writeFile(file, LOG);
    const fromFile = await listCrashes(file, pieces('', 1));
    expect(fromFile.data).toEqual([
      {
        title: 'KASAN: slab-use-after-free Read in p2pvram_map',
        type: 'kasan',
        severity: 'crash',
        taint: null,
        corrupted: false,
        startLine: 2,
        endLine: 9,
        frames: ['p2pvram_map'],
      },
    ]);
    for (const size of [1, 7, 4096]) expect((await listCrashes('-', pieces(LOG, size))).data).toEqual(fromFile.data);
    expect(fromFile.text).toBe(
      'LINES  SEVERITY  TYPE   TITLE\n2-9    crash     kasan  KASAN: slab-use-after-free Read in p2pvram_map',
    );
  });

  it('says so when there is none', async () => {
    expect(await listCrashes('-', pieces('all is well\n', 99))).toEqual({
      data: [],
      text: 'no report of the kernel in standard input',
    });
  });

  it('names a file that it cannot read', async () => {
    const gone = listCrashes(join(folder, 'gone.log'), pieces('', 1));
    await expect(gone).rejects.toThrow(FileError);
    await expect(gone).rejects.toThrow(/gone\.log: cannot be read \(ENOENT\)/);
  });

  it('keeps little of a line that is longer than any', async () => {
    const long = `${'x'.repeat(3_000_000)}\nWARNING: mm/hmm.c:3 at hmm_init+0x1/0x2, CPU#0: x/1`;
    expect((await listCrashes('-', pieces(long, 65_536))).text).toContain('WARNING in hmm_init (corrupted)');
  });
});
