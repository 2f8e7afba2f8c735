import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listCrashes } from './commands/crash.js';
import { FileError, UsageError } from './exit-codes.js';
import { findSource } from './symbols.js';

const run = promisify(execFile);
const SOURCE = `static inline __attribute__((always_inline)) int touch(volatile int *at)
{
	return *at + 1;
}
__attribute__((noinline)) int p2pvram_map(volatile int *at)
{
	return touch(at) * 3;
}
int main(int count, char **words)
{
	return p2pvram_map(&count);
}
`;

async function* nothing(): AsyncGenerator<Buffer> {}

describe('calls with debug information', () => {
  let folder = '';
  let [size, mainSize] = ['', ''];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'peerlab-symbols-'));
    await mkdir(join(folder, 'built/drivers/p2p'), { recursive: true });
    await mkdir(join(folder, 'tree/drivers/p2p'), { recursive: true });
    for (const place of ['built', 'tree']) await writeFile(join(folder, place, 'drivers/p2p/p2pvram.c'), SOURCE);
    const cc = (out: string, ...flags: string[]) =>
      run(
        'gcc',
        [...flags, '-O1', '-fcf-protection=none', '-no-pie', '-o', join(folder, out), 'drivers/p2p/p2pvram.c'],
        {
          cwd: join(folder, 'built'),
        },
      );
    await cc('vmlinux', '-g');
    await cc('stripped');
    const { stdout } = await run('nm', ['-S', join(folder, 'vmlinux')]);
    const sizeOf = (name: string): string =>
      Number(`0x${new RegExp(`^\\S+ (\\S+) T ${name}$`, 'm').exec(stdout)?.[1] ?? ''}`).toString(16);
    [size, mainSize] = [sizeOf('p2pvram_map'), sizeOf('main')];
    await writeFile(
      join(folder, 'console.log'),
      [
        '[   41.1] BUG: kernel NULL pointer dereference, address: 0000000000000008',
        `[   41.2] RIP: 0010:p2pvram_map+0x0/0x${size}`,
        '[   41.3] Call Trace:',
        '[   41.4]  <TASK>',
        `[   41.5]  main+0x1/0x${mainSize}`,
        '[   41.6]  ? p2pvram_map+0x1/0x10',
        '[   41.7]  other_module+0x1/0x10 [other]',
        '[   41.8]  </TASK>',
        '',
      ].join('\n'),
    );
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const list = (vmlinux: string, tree?: string) =>
    listCrashes(join(folder, 'console.log'), nothing(), { vmlinux: join(folder, vmlinux), tree });

  it('have file, line and what was inlined, with the lines of the tree', async () => {
    const { data, text } = await list('vmlinux', join(folder, 'tree'));
    const file = 'drivers/p2p/p2pvram.c';
    expect(data).toMatchObject([
      {
        title: 'BUG: unable to handle kernel NULL pointer dereference in p2pvram_map',
        source: [
          {
            line: 2,
            call: `p2pvram_map+0x0/0x${size}`,
            frames: [
              { name: 'touch', file, line: 3, text: 'return *at + 1;' },
              { name: 'p2pvram_map', file, line: 7, text: 'return touch(at) * 3;' },
            ],
          },
          { line: 5, call: `main+0x1/0x${mainSize}`, frames: [{ name: 'main', file, line: 10, text: '{' }] },
        ],
      },
    ]);
    expect(text).toContain(`  touch ${file}:3 [inlined]\n      return *at + 1;\n  p2pvram_map ${file}:7`);
    const bare = await list('vmlinux');
    expect(bare.text).toContain('drivers/p2p/p2pvram.c:3 [inlined]\n  p2pvram_map');
  });

  it('are those of the function with the size that the kernel printed, if several have the name', async () => {
    const call = { line: 1, name: 'p2pvram_map', offset: 0, size: 0x7777, module: null, isInstruction: true };
    expect((await findSource(join(folder, 'vmlinux'), null, [call])).size).toBe(1);
    expect((await findSource(join(folder, 'vmlinux'), null, [{ ...call, name: 'absent' }])).size).toBe(0);
  });

  it('are refused without it, with the remedy, and for a file that is no kernel or is not there', async () => {
    await expect(list('stripped')).rejects.toThrow(/no debug information: build it with CONFIG_DEBUG_INFO/);
    await expect(list('gone')).rejects.toThrow(/gone: cannot be read \(ENOENT\)/);
    await expect(list('console.log')).rejects.toThrow(FileError);
    const alone = listCrashes(join(folder, 'console.log'), nothing(), { tree: folder });
    await expect(alone).rejects.toThrow(UsageError);
  });
});
