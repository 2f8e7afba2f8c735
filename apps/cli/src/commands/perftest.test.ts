import { fileURLToPath } from 'node:url';
import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../exit-codes.js';
import { runProgram } from '../program.js';

const sample = (name: string): string =>
  fileURLToPath(new URL(`../../../controller/contracts/fixtures/perftest/${name}`, import.meta.url));

async function peerlab(...words: string[]) {
  const written = { out: '', err: '' };
  const sink = (to: 'out' | 'err') =>
    new Writable({
      decodeStrings: false,
      write(piece, _, done) {
        written[to] += String(piece);
        done();
      },
    });
  const io = { stdin: (async function* () {})(), stdout: sink('out'), stderr: sink('err') };
  const env = { PEERLAB_URL: 'http://127.0.0.1:1', PEERLAB_TOKEN: 'none' };
  return { code: await runProgram(words, { ...io, env }), ...written };
}

describe('perftest', () => {
  it('prints metrics as JSON, with the label in their names', async () => {
    const { code, out } = await peerlab('perftest', sample('6.06-write-bw-odp.txt'), '--label', 'odp', '--json');
    expect(JSON.parse(out)).toMatchObject({
      outcome: 'measured',
      metrics: [
        {
          name: 'ib_write_bw.odp.peak.65536',
          unit: 'MiB/s',
          better: 'higher',
          samples: [15.09],
          params: { bytes: 65536 },
        },
        { name: 'ib_write_bw.odp.average.65536' },
        { name: 'ib_write_bw.odp.rate.65536' },
      ],
    });
    expect(code).toBe(EXIT.done);
  });

  it('prints a table for people', async () => {
    const { out } = await peerlab('perftest', sample('6.06-write-bw-infinite.txt'));
    expect(out).toContain('ib_write_bw.average  64 KiB  89.01 90.02 86.13');
    expect(out).toContain('1 tests, 2 metrics: measured');
  });

  it('says by its exit code that there is no figure, and why', async () => {
    const { code, out } = await peerlab('perftest', sample('failed-qp.txt'));
    expect(out).toMatch(/^error \(qp\): Failed to modify QP 21 to RTR: .*check the GID index/);
    expect(code).toBe(EXIT.findings);
    expect((await peerlab('perftest', sample('no-perftest.txt'))).code).toBe(EXIT.findings);
    expect((await peerlab('perftest', sample('missing.txt'))).code).toBe(EXIT.noInput);
  });
});
