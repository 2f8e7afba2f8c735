import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { growthOf } from '@peerlab/contracts/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeLoss, functionCount, hardwareScript } from './hardware.js';

const GPU = '0000:03:00.0 10de:2330';
const whole = (more: { lanes?: string; bars?: string; memory?: number } = {}): string[] => [
  `${GPU} ${more.lanes ?? 'x16/16'} ${more.bars ?? '16777216,0,137438953472'}`,
  `memory ${more.memory ?? 64 * 1024 ** 2}`,
];

describe('describeLoss', () => {
  it.each([
    ['nothing', whole(), null],
    ['a slower moment: it tells lanes and no speed', whole({ lanes: 'x16/16' }), null],
    ['half the lanes', whole({ lanes: 'x8/16' }), `${GPU} (its link has 8 of 16 lanes)`],
    [
      'a link that takes fewer lanes',
      whole({ lanes: 'x8/8' }),
      `${GPU} (its link has 8 of 16 lanes; its link takes 8 lanes at most, 16 before)`,
    ],
    ['a bridge with nothing below it any more', whole({ lanes: '-' }), null],
    ['a BAR', whole({ bars: '16777216,0,0' }), `${GPU} (BAR 2 has 0 B of 131072.0 MiB)`],
    ['a larger BAR', whole({ bars: '33554432,0,137438953472' }), null],
    ['what the kernel keeps for itself', whole({ memory: 64 * 1024 ** 2 - 300 * 1024 }), null],
    ['a module of 4 GiB', whole({ memory: 60 * 1024 ** 2 }), 'memory (60.0 of 64.0 GiB)'],
    ['more of everything', [...whole({ memory: 65 * 1024 ** 2 }), '0000:09:00.0 15b3:1021 x16/16 0'], null],
    ['the function', whole().slice(1), GPU],
    ['another card in its place', ['0000:03:00.0 10de:2331 x16/16 1', ...whole().slice(1)], GPU],
  ])('%s', (_, now, loss) => {
    expect(describeLoss(whole(), now)).toBe(loss);
  });

  it('an eighth of the memory of a small machine is a loss, a few MiB of it are none', () => {
    expect(describeLoss(['memory 996612'], ['memory 980000'])).toBeNull();
    expect(describeLoss(['memory 996612'], ['memory 865280'])).toBe('memory (0.8 of 1.0 GiB)');
  });

  it('a function that was silent before, and one whose record is of an older agent, lose nothing by it', () => {
    expect(describeLoss([`${GPU} - 0 silent`], [`${GPU} - 0 silent`])).toBeNull();
    expect(describeLoss([`${GPU} - 0 silent`], [`${GPU} x1/16 0`])).toBeNull();
    expect(describeLoss([GPU], whole({ lanes: 'x1/16' }))).toBeNull();
    expect(describeLoss([GPU], [`${GPU} x16/16 0 silent`])).toBe(`${GPU} (it answers all ones)`);
    expect(functionCount([GPU, 'memory 1'])).toBe(1);
  });

  it('takes time in proportion to what it is given, whatever that is', async () => {
    const growth = await growthOf(
      (size) => `${GPU} x16/16 ${'1,'.repeat(size)}`,
      (line) => describeLoss(Array(20).fill(line), [line]),
    );
    expect(growth.perDoubling, JSON.stringify(growth)).toBeLessThan(3);
  });
});

describe('what reads it', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hardware-script-'));
    writeFileSync(join(folder, 'meminfo'), 'MemTotal:       527992236 kB\nMemFree:         1000 kB\n');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** A function as sysfs shows it. */
  function put(address: string, files: Record<string, string | Buffer>): void {
    const path = join(folder, 'devices', address);
    mkdirSync(path, { recursive: true });
    const line = `0x${'0'.repeat(16)} 0x${'0'.repeat(16)} 0x${'0'.repeat(16)}\n`;
    const all = { vendor: '0x10de\n', device: '0x2330\n', class: '0x030200\n', resource: line.repeat(17), ...files };
    for (const [name, content] of Object.entries({ config: Buffer.alloc(256), ...all }))
      writeFileSync(join(path, name), content);
  }
  const lanes = (now: number, max = 16) => ({ current_link_width: `${now}\n`, max_link_width: `${max}\n` });
  const port = { class: '0x060400\n', ...lanes(4) };

  /** By each shell of this computer that a machine may have. */
  const readBy = (shell: string): string[] => {
    const command = hardwareScript(join(folder, 'devices'), join(folder, 'meminfo'));
    const { status, stdout, stderr } = spawnSync(shell, ['-c', command], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return stdout.trimEnd().split('\n');
  };

  it.each(['/bin/sh', '/bin/bash'])('prints a line for each function, and the memory: %s', (shell) => {
    const gpu = [
      '0x0000000090000000 0x0000000090ffffff 0x0000000000040200',
      '0x0000000000000000 0x0000000000000000 0x0000000000000000',
      '0x0000380000000000 0x0000381fffffffff 0x000000000014220c',
      '0x0000000000000000 0x0000000000000000 0x0000000000000000',
      // Its driver got no address for it.
      '0x0000000000000000 0x0000000001ffffff 0x000000002014220c',
      '0x0000000000000000 0x0000000000000000 0x0000000000000000',
      '0x0000000091000000 0x000000009107ffff 0x0000000000046200',
    ];
    put('0000:00:01.0', port);
    put('0000:00:01.0/0000:01:00.0', {});
    put('0000:00:02.0', port);
    put('0000:00:02.0/0000:00:02.0:pcie001', {});
    put('0000:00:1f.0', { vendor: '0x8086\n', device: '0x7a06\n' });
    put('0000:03:00.0', { ...lanes(16), resource: gpu.join('\n') });
    put('0000:04:00.0', { ...lanes(63, 63), config: Buffer.alloc(256, 0xff) });
    // A virtual function has no ids of its own.
    const virtual = Buffer.alloc(256);
    virtual.fill(0xff, 0, 4);
    put('10000:05:00.0', { ...lanes(8), config: virtual });
    expect(readBy(shell)).toEqual([
      'memory 527992236',
      '0000:00:01.0 10de:2330 x4/16 0,0,0,0,0,0',
      '0000:00:02.0 10de:2330 - 0,0,0,0,0,0',
      '0000:00:1f.0 8086:7a06 - 0,0,0,0,0,0',
      '0000:03:00.0 10de:2330 x16/16 16777216,0,137438953472,0,0,0',
      '0000:04:00.0 10de:2330 x63/63 0,0,0,0,0,0 silent',
      '10000:05:00.0 10de:2330 x8/16 0,0,0,0,0,0',
    ]);
    expect(describeLoss(readBy(shell), readBy(shell))).toBeNull();
  });

  it('reads a machine without PCI', () => {
    expect(readBy('/bin/sh')).toEqual(['memory 527992236']);
  });
});
