import { appendFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pause } from '../../timing.js';
import { createLogFileConsole, LAST_BYTES } from './console-log-file.js';
import { CANDIDATE_ENTRY, customConfig, printIfThere } from './grub.js';
import { createFileMemory } from './memory-file.js';
import { createQemuPower } from './qemu-power.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drivers-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('log file console', () => {
  it('gives each line once, whole, from the offset on', async () => {
    const logFile = join(folder, 'console.log');
    writeFileSync(logFile, 'old\r\nnew\r\n');
    const lines: string[] = [];
    const follower = await createLogFileConsole({ logFile, pollMs: 5 }).follow(5, {
      onLine: (line) => lines.push(line),
    });
    await eventually('the first', () => lines.length === 1);
    appendFileSync(logFile, 'half');
    await eventually('the half', () => follower.partial === 'half');
    expect(lines).toEqual(['new']);
    appendFileSync(logFile, ' ö whole\n\nlogin: ');
    await eventually('more', () => lines.length === 3);
    await follower.stop();
    expect(lines).toEqual(['new', 'half ö whole', '', 'login: ']);
    expect(follower.offsetBytes).toBe(Buffer.byteLength('old\r\nnew\r\nhalf ö whole\n\nlogin: '));
  });

  it('that prints without end leaves time for everything else, and ends when it is told to', async () => {
    const logFile = join(folder, 'console.log');
    const line = `${'x'.repeat(63)}\n`;
    writeFileSync(logFile, line.repeat((LAST_BYTES * 3) / line.length));
    let [read, busyMs, skipped] = [0, 0, { lines: 0, bytes: 0 }];
    const spin = (ms: number): void => {
      for (const start = performance.now(); performance.now() - start < ms; );
      busyMs += ms;
    };
    const start = performance.now();
    const follower = await createLogFileConsole({ logFile, pollMs: 5 }).follow(0, {
      // A line that costs something: a megabyte of them takes a second.
      onLine: () => {
        read += 1;
        if (read < 10_000) spin(0.1);
      },
      onSkipped: (gap) => (skipped = gap),
    });
    await eventually('half a megabyte', () => read > 5_000);
    expect(busyMs / (performance.now() - start)).toBeLessThan(0.75);
    await follower.stop();
    expect(skipped.lines).toBeGreaterThan(0);
    expect(read + skipped.lines).toBe((LAST_BYTES * 3) / line.length);
    expect(follower.offsetBytes + skipped.bytes).toBe(LAST_BYTES * 3);
  });

  it('a file that cannot be read is a fault, told once, and no silent console', async () => {
    // Errors that root gets too: a path below a file, and a folder in the place of a file.
    writeFileSync(join(folder, 'file'), '');
    for (const from of ['end', 0] as const) {
      const faults: unknown[] = [];
      const logFile = join(folder, 'file', 'console.log');
      const follower = await createLogFileConsole({ logFile, pollMs: 5 }).follow(from, {
        onLine: () => undefined,
        onFault: (fault) => faults.push(fault),
      });
      await eventually('the fault', () => faults.length > 0);
      await follower.stop();
      expect(faults).toMatchObject([
        { kind: 'output', message: `${logFile} cannot be read (ENOTDIR)`, remedy: expect.stringContaining('logFile') },
      ]);
    }
    const logFile = join(folder, 'console.log');
    writeFileSync(logFile, 'one\n');
    const [lines, places, faults]: [string[], number[], unknown[]] = [[], [], []];
    const follower = await createLogFileConsole({ logFile, pollMs: 5 }).follow(0, {
      onLine: (line) => lines.push(line),
      onPlace: (place) => places.push(place),
      onFault: (fault) => faults.push(fault),
    });
    await eventually('the line', () => lines.length === 1);
    rmSync(logFile);
    mkdirSync(logFile);
    await eventually('the fault', () => faults.length > 0);
    await follower.stop();
    expect(faults).toMatchObject([{ message: `${logFile} cannot be read (EISDIR)` }]);
    expect(lines).toEqual(['one']);
  });

  it('a missing file is waited for', async () => {
    const logFile = join(folder, 'console.log');
    const [lines, faults]: [string[], unknown[]] = [[], []];
    const follower = await createLogFileConsole({ logFile, pollMs: 5 }).follow('end', {
      onLine: (line) => lines.push(line),
      onFault: (fault) => faults.push(fault),
    });
    writeFileSync(logFile, 'one\n');
    await eventually('the line', () => lines.length === 1);
    await follower.stop();
    expect(faults).toEqual([]);
  });

  it('a reader that throws is told of once, and the console goes no further', async () => {
    const logFile = join(folder, 'console.log');
    writeFileSync(logFile, 'one\ntwo\n');
    const [lines, faults]: [string[], unknown[]] = [[], []];
    const follower = await createLogFileConsole({ logFile, pollMs: 5 }).follow(0, {
      onLine: (line) => {
        lines.push(line);
        throw new Error('a bug');
      },
      onFault: (fault) => faults.push(fault),
    });
    await eventually('the fault', () => faults.length === 1);
    appendFileSync(logFile, 'three\n');
    await follower.stop();
    expect(lines).toEqual(['one']);
    expect(faults).toEqual([new Error('a bug')]);
  });

  it('survives truncation and a file that comes late', async () => {
    const logFile = join(folder, 'console.log');
    const lines: string[] = [];
    const follower = await createLogFileConsole({ logFile, pollMs: 5 }).follow('end', {
      onLine: (line) => lines.push(line),
    });
    writeFileSync(logFile, 'first line of some length\n');
    await eventually('first', () => lines.length === 1);
    truncateSync(logFile, 0);
    await pause(30);
    appendFileSync(logFile, 'again\n');
    await eventually('again', () => lines.length === 2);
    await follower.stop();
    expect(lines).toEqual(['first line of some length', 'again']);
  });
});

describe('custom.cfg', () => {
  const commandLine = 'root=/dev/vda1 peerlab.nonce=ab';
  const entry = { grubPath: '/k', commandLine, fileSystem: 'ABCD-1234' };

  it('adds one entry that reboots when the image cannot be loaded', () => {
    expect(customConfig('', entry)).toBe(`### peerlab begin: written by the Peerlab agent, removed after the job ###
menuentry 'Peerlab candidate' --id ${CANDIDATE_ENTRY} {
  search --no-floppy --fs-uuid --set=root ABCD-1234
  echo "peerlab-grub: loading /k"
  if linux /k root=/dev/vda1 peerlab.nonce=ab; then true; else echo "peerlab-grub: the image was not loaded"; reboot; fi
}
### peerlab end ###
`);
  });

  it('quotes what GRUB would interpret', () => {
    const odd = 'root=/dev/vda1 memmap=512M$0x40000000 a;b';
    expect(customConfig('', { ...entry, commandLine: odd })).toContain(
      "if linux /k root=/dev/vda1 'memmap=512M$0x40000000' 'a;b'; then",
    );
  });

  it('finds image and initramfs on a /boot of their own, and reboots when either cannot be loaded', () => {
    const server = { ...entry, grubInitrd: '/k-initrd.img', fileSystem: '0b5e5f0a-4a0e-4a6e-9d7c-0d9f5a3c8b11' };
    expect(customConfig('', server).split('\n').slice(2, -3)).toEqual([
      '  search --no-floppy --fs-uuid --set=root 0b5e5f0a-4a0e-4a6e-9d7c-0d9f5a3c8b11',
      '  echo "peerlab-grub: loading /k"',
      '  if linux /k root=/dev/vda1 peerlab.nonce=ab; then true; else echo "peerlab-grub: the image was not loaded"; reboot; fi',
      '  if initrd /k-initrd.img; then true; else echo "peerlab-grub: the image was not loaded"; reboot; fi',
    ]);
  });

  it('is written in GRUB’s own language, as its checker reads it', () => {
    const file = join(folder, 'custom.cfg');
    writeFileSync(file, customConfig('', { ...entry, grubInitrd: '/k-initrd.img' }));
    expect(spawnSync('grub-script-check', [file], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });

  it('keeps what others wrote, replaces its own block, and leaves no trace', () => {
    const foreign = "menuentry 'rescue' { true }";
    const once = customConfig(foreign, entry);
    const twice = customConfig(once, { ...entry, grubPath: '/other' });
    expect(twice).toContain('/other');
    expect(twice).not.toContain('linux /k ');
    expect(twice.match(/peerlab begin/g)).toHaveLength(1);
    expect(customConfig(twice, null)).toBe(`${foreign}\n`);
    expect(customConfig(customConfig('', entry), null)).toBe('');
  });
});

describe('device memory file', () => {
  it('reads exactly what was asked, and says when it is outside', async () => {
    const path = join(folder, 'vram');
    writeFileSync(path, Buffer.from([1, 2, 3, 4]));
    const memory = createFileMemory({ path });
    expect([...(await memory.read(1, 2))]).toEqual([2, 3]);
    await expect(memory.read(3, 2)).rejects.toThrow('outside');
    await expect(createFileMemory({ path: '/nowhere' }).read(0, 1)).rejects.toThrow('cannot be read (ENOENT)');
  });
});

it("reads GRUB's custom.cfg, and never takes one that cannot be read for none", () => {
  const read = (path: string) => spawnSync('/bin/sh', ['-c', printIfThere(path)], { encoding: 'utf8' });
  writeFileSync(join(folder, 'custom.cfg'), 'menuentry theirs {}\n');
  expect(read(join(folder, 'custom.cfg'))).toMatchObject({ status: 0, stdout: 'menuentry theirs {}\n' });
  expect(read(join(folder, 'none'))).toMatchObject({ status: 0, stdout: '' });
  expect(read(folder).status).not.toBe(0);
});

describe('qemu power', () => {
  it('resets through QMP, past events that come in between', async () => {
    const path = join(folder, 'qmp.sock');
    const asked: string[] = [];
    const server = createServer((socket) => {
      socket.write('{"QMP":{"version":{}}}\r\n');
      socket.on('data', (chunk) => {
        for (const line of chunk.toString().trim().split('\n')) {
          const { execute, id } = JSON.parse(line) as { execute: string; id: string };
          asked.push(execute);
          socket.write('{"event":"RESET"}\r\n');
          const value = execute === 'query-status' ? { running: true } : {};
          socket.write(`${JSON.stringify({ return: value, id })}\r\n`);
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const power = createQemuPower({ qmpSocket: path });
    await power.reset();
    expect(await power.state()).toBe('on');
    expect(asked).toEqual(['qmp_capabilities', 'system_reset', 'qmp_capabilities', 'query-status']);
    server.close();
  });

  it('names the socket when nobody answers there', async () => {
    const power = createQemuPower({ qmpSocket: join(folder, 'none.sock') });
    await expect(power.reset()).rejects.toThrow(/none\.sock cannot be reached \(ENOENT\)/);
  });
});
