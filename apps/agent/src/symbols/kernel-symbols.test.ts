import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { KernelSymbols, type ReportedCalls } from './kernel-symbols.js';

vi.setConfig({ testTimeout: 60_000 });

/** Stands for a kernel: one function with another one inlined, each on a line of its own. */
const SOURCE = `static inline __attribute__((always_inline)) int touch(volatile int *at)
{
	return *at + 1;
}
__attribute__((noinline)) int p2pvram_map(volatile int *at)
{
	return touch(at) * 3;
}
int _start(int count)
{
	return p2pvram_map(&count);
}
`;

let folder: string;
let bundle: string;
let symbols: KernelSymbols;
/** Address and size by name. */
let functions: Map<string, { address: bigint; size: number }>;
const notes: string[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-kernel-symbols-'));
  bundle = join(folder, 'bundle');
  mkdirSync(join(folder, 'tree/mm'), { recursive: true });
  mkdirSync(join(bundle, 'debug'), { recursive: true });
  writeFileSync(join(folder, 'tree/mm/map.c'), SOURCE);
  const cc = (...args: string[]): string =>
    execFileSync('gcc', [`-fdebug-prefix-map=${folder}/tree=.`, '-g', '-O1', '-fcf-protection=none', ...args], {
      cwd: join(folder, 'tree'),
      encoding: 'utf8',
    });
  cc(
    '-nostdlib',
    '-static',
    '-no-pie',
    '-fno-pie',
    '-Wl,-Ttext=0xffffffff81000000',
    '-mcmodel=kernel',
    '-o',
    '../vmlinux',
    'mm/map.c',
  );
  cc('-c', '-o', '../p2pvram.ko', 'mm/map.c');
  for (const name of ['vmlinux', 'p2pvram.ko'])
    execFileSync('objcopy', [
      '--only-keep-debug',
      '--compress-debug-sections=zlib',
      join(folder, name),
      join(bundle, 'debug', name),
    ]);
  const listed = execFileSync('nm', ['-n', '-S', '--defined-only', join(folder, 'vmlinux')], { encoding: 'utf8' });
  functions = new Map(
    [...listed.matchAll(/^([0-9a-f]{16}) ([0-9a-f]{16}) T (\w+)$/gm)].map(([, at = '', size = '', name = '']) => [
      name,
      { address: BigInt(`0x${at}`), size: parseInt(size, 16) },
    ]),
  );
  writeFileSync(
    join(bundle, 'System.map'),
    execFileSync('nm', ['-n', '--defined-only', join(folder, 'vmlinux')], { encoding: 'utf8' }),
  );
  const { size = 0 } = functions.get('p2pvram_map') ?? {};
  writeFileSync(
    join(bundle, 'sources.gz'),
    gzipSync(`p2pvram_map ${size} mm/map.c\ntwice 32 mm/a.c\ntwice 30 mm/b.c\ntwice 400 mm/c.c\n`),
  );
  symbols = new KernelSymbols(join(folder, 'cache'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As a kernel prints it: the size is the distance to the next function. */
function call(name: string, offset: number, module = ''): string {
  const size = (functions.get(name)?.size ?? 0) + 7;
  return `${name}+0x${offset.toString(16)}/0x${size.toString(16)}${module}`;
}
const place = (from: string, calls: ReportedCalls['calls'], kernelOffset = 0n) =>
  symbols.place(from, { calls, kernelOffset }, (text) => notes.push(text), new AbortController().signal);

describe('addresses of a kernel with debug information', () => {
  it('are placed at file and line with what was inlined, of the image and of a module', async () => {
    const calls = [call('p2pvram_map', 0), call('p2pvram_map', 0, ' [p2pvram]'), call('_start', 6)];
    const found = await place(
      bundle,
      calls.map((each, at) => ({ call: each, isInstruction: at < 2 })),
    );
    expect(notes).toEqual([]);
    const frames = [
      { name: 'touch', file: 'mm/map.c', line: 3 },
      { name: 'p2pvram_map', file: 'mm/map.c', line: 7 },
    ];
    expect(found.slice(0, 2)).toEqual([
      { call: calls[0], frames },
      { call: calls[1], frames },
    ]);
    expect(found[2]).toMatchObject({ call: calls[2], frames: [{ name: '_start', file: 'mm/map.c' }] });
  });

  it('without a name are placed too, where the kernel was moved to', async () => {
    const address = functions.get('p2pvram_map')?.address ?? 0n;
    const [moved, bare] = [address + 0x1c000000n, address].map((each) => each.toString(16));
    const ask = { call: moved ?? '', isInstruction: true };
    expect(await place(bundle, [ask], 0x1c000000n)).toMatchObject([
      { call: moved, frames: [{ name: 'touch', line: 3 }, {}] },
    ]);
    const plain = join(folder, 'plain');
    cpSync(bundle, plain, { recursive: true });
    rmSync(join(plain, 'debug'), { recursive: true });
    rmSync(join(plain, 'sources.gz'));
    expect(await place(plain, [{ call: bare ?? '', isInstruction: true }])).toEqual([
      { call: bare, frames: [{ name: 'p2pvram_map+0x0', file: null, line: null }] },
    ]);
    expect(await place(plain, [{ call: 'ffffffff90000000', isInstruction: true }])).toEqual([]);
  });

  it('of another kernel, with the same name and another size, are left out', async () => {
    expect(await place(bundle, [{ call: 'p2pvram_map+0x1/0x400', isInstruction: false }])).toEqual([]);
  });

  it('that are damaged cost the lines, and not the files', async () => {
    const broken = join(folder, 'broken');
    cpSync(bundle, broken, { recursive: true });
    writeFileSync(join(broken, 'debug/vmlinux'), 'no ELF');
    const ask = { call: call('p2pvram_map', 0), isInstruction: true };
    expect(await place(broken, [ask])).toEqual([
      { call: ask.call, frames: [{ name: 'p2pvram_map', file: 'mm/map.c', line: null }] },
    ]);
    expect(notes.splice(0)).toEqual([
      expect.stringMatching(/^symbols: the debug information is not read: binutils on vmlinux: /),
    ]);
  });
});

describe('addresses of a kernel without debug information', () => {
  it('are placed in the file of their function, and not where several files have it', async () => {
    const plain = join(folder, 'no-debug');
    cpSync(bundle, plain, { recursive: true });
    rmSync(join(plain, 'debug'), { recursive: true });
    const calls = [call('p2pvram_map', 1), 'twice+0x1/0x20', 'twice+0x1/0x190', 'unknown+0x1/0x10'];
    expect(
      await place(
        plain,
        calls.map((each) => ({ call: each, isInstruction: false })),
      ),
    ).toEqual([
      { call: calls[0], frames: [{ name: 'p2pvram_map', file: 'mm/map.c', line: null }] },
      { call: calls[2], frames: [{ name: 'twice', file: 'mm/c.c', line: null }] },
    ]);
  });

  it('of a bundle that has nothing of all that are left out', async () => {
    const bare = join(folder, 'bare');
    mkdirSync(bare);
    expect(await place(bare, [{ call: call('p2pvram_map', 1), isInstruction: false }])).toEqual([]);
  });
});
