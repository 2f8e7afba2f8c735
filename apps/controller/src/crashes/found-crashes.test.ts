import type { LogLine } from '@peerlab/contracts';
import { growthOf } from '@peerlab/contracts/testing';
import { describe, expect, it } from 'vitest';
import { mergeStreams, StreamCrashes, type CrashStream } from './found-crashes.js';

const RELEASE = '7.3.4-peerlab-abcdef01';
const BANNER = `[    0.000000] Linux version ${RELEASE} (peerlab@farm) #1 SMP`;

const report = (header: string, ...functions: string[]): string[] => [
  `[   41.200001] ${header}`,
  '[   41.200002] CPU: 1 UID: 0 PID: 412 Comm: p2p-test Tainted: G        W  O        7.3.4-peerlab #1',
  '[   41.200003] Call Trace:',
  '[   41.200004]  <TASK>',
  ...functions.map((name, at) => `[   41.20001${at}]  ${name}+0x1c4/0x2e0 [p2pvram]`),
  '[   41.200029]  </TASK>',
  '[   41.200030] ---[ end trace 0000000000000000 ]---',
];
const warning = (name: string): string[] =>
  report(`WARNING: CPU: 1 PID: 412 at drivers/p2p/p2pvram.c:412 ${name}+0x1c4/0x2e0 [p2pvram]`, name, 'p2pvram_ioctl');

function found(stream: CrashStream, texts: readonly string[], atMs = 1_000_000) {
  const crashes = new StreamCrashes(stream, RELEASE);
  for (const [seq, text] of texts.entries()) crashes.push({ seq, at: atMs + seq, text });
  return crashes.end();
}

describe('the crashes of a stream', () => {
  it('are reports with one title: how many, where the first is, with its frames and the taint', () => {
    const lines = [BANNER, 'quiet', ...warning('p2pvram_map'), ...warning('p2pvram_unmap'), ...warning('p2pvram_map')];
    expect(found('serial', lines)).toMatchObject([
      {
        title: 'WARNING in p2pvram_map',
        type: 'warning',
        severity: 'warning',
        corrupted: false,
        stream: 'serial',
        startLine: 2,
        endLine: 9,
        times: 2,
        frames: ['p2pvram_map', 'p2pvram_ioctl'],
        taint: 'GWO',
        atMs: 1_000_002,
      },
      { title: 'WARNING in p2pvram_unmap', startLine: 10, times: 1 },
    ]);
  });

  it('are those of the kernel under test alone', () => {
    const other = '[    0.000000] Linux version 6.1.0-49-amd64 (debian-kernel@lists.debian.org)';
    const lines = [...warning('before_it'), other, ...warning('on_debian'), BANNER, ...warning('under_test'), other];
    expect(found('serial', [...lines, ...warning('after_it')]).map(({ title }) => title)).toEqual([
      'WARNING in under_test',
    ]);
    expect(found('kernel', ['# kernel 6.1.0-49-amd64, boot b', ...warning('on_debian')])).toEqual([]);
    expect(found('kernel', [`# kernel ${RELEASE}, boot a`, ...warning('under_test')])).toHaveLength(1);
  });

  it('are read out of records of several lines', () => {
    const [header = '', ...rest] = warning('p2pvram_map');
    const record = [header, ...rest.map((line) => line.slice(15))].join(String.raw`\x0a`);
    expect(found('kernel', [`# kernel ${RELEASE}, boot a`, record, '[   42.000000] next'])).toMatchObject([
      { title: 'WARNING in p2pvram_map', corrupted: false, startLine: 1, endLine: 1 },
    ]);
  });

  it('are no output of a suite, unless printk wrote it', () => {
    const quoted = warning('p2pvram_map').map((line) => `# ${line.slice(15)}`);
    expect(found('test', quoted)).toEqual([]);
    expect(found('test', warning('p2pvram_map'))).toHaveLength(1);
  });
});

describe('streams that repeat each other', () => {
  it('count once: that with most reports, the console before the others', () => {
    const once = [BANNER, ...warning('p2pvram_map')];
    const serial = found('serial', once);
    const kernel = found('kernel', [`# kernel ${RELEASE}, boot a`, ...warning('p2pvram_map')]);
    expect(mergeStreams([serial, kernel])).toEqual(serial);
    const more = found('kernel', [`# kernel ${RELEASE}, boot a`, ...warning('p2pvram_map'), ...warning('p2pvram_map')]);
    expect(mergeStreams([serial, more])).toEqual(more);
  });

  it('that one ended the kernel is known from the console alone', () => {
    const panic = '[   41.300000] Kernel panic - not syncing: kernel: panic_on_warn set ...';
    const serial = found('serial', [BANNER, ...warning('p2pvram_map'), panic]);
    const kernel = found('kernel', [
      `# kernel ${RELEASE}, boot a`,
      ...warning('p2pvram_map'),
      ...warning('p2pvram_map'),
    ]);
    expect(mergeStreams([serial, kernel])).toMatchObject([{ severity: 'crash', stream: 'kernel', times: 2 }]);
  });

  it('what is cut in one is left out where another has all of it', () => {
    const cut = found('serial', [BANNER, ...warning('p2pvram_map').slice(0, 1)]);
    const whole = found('kernel', [`# kernel ${RELEASE}, boot a`, ...warning('p2pvram_map')]);
    expect(cut).toMatchObject([{ corrupted: true }]);
    expect(mergeStreams([cut, whole])).toEqual(whole);
    const late = whole.map((crash) => ({ ...crash, title: 'WARNING in other', key: 'k', atMs: crash.atMs + 60_000 }));
    expect(mergeStreams([cut, late])).toHaveLength(2);
  });

  it('take time in proportion to their lines, and keep a bounded number of titles', async () => {
    const linesOf = (count: number): LogLine[] =>
      Array.from({ length: count }, (_, seq) => ({
        seq,
        at: seq,
        text: seq === 0 ? BANNER : `[   41.000001] WARNING: CPU: 1 PID: 4 at a.c:1 f${seq % 2000}+0x1/0x2`,
      }));
    const read = (lines: readonly LogLine[]): unknown[] => {
      const crashes = new StreamCrashes('serial', RELEASE);
      for (const line of lines) crashes.push(line);
      return crashes.end();
    };
    expect(read(linesOf(6000))).toHaveLength(200);
    const growth = await growthOf((size) => linesOf(size / 64), read);
    expect(growth.perDoubling, JSON.stringify(growth)).toBeLessThan(3);
  });
});
