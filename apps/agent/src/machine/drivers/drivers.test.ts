import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pause, until } from '../../timing.js';
import { createLogFileConsole } from './console-log-file.js';
import { CANDIDATE_ENTRY, customConfig } from './grub.js';
import { createFileMemory } from './memory-file.js';
import { createQemuPower } from './qemu-power.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drivers-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('log file console', () => {
  const eventually = (what: string, check: () => boolean): Promise<true> =>
    until(what, () => (check() ? true : undefined), { everyMs: 5, timeoutMs: 3_000 });

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
  const entry = { kernelPath: '/boot/k', grubPath: '/k', commandLine: 'root=/dev/vda1 peerlab.nonce=ab' };

  it('adds one entry that reboots when the image cannot be loaded', () => {
    expect(customConfig('', entry)).toBe(`### peerlab begin: written by the Peerlab agent, removed after the job ###
menuentry 'Peerlab candidate' --id ${CANDIDATE_ENTRY} {
  echo "peerlab-grub: loading /k"
  if linux /k root=/dev/vda1 peerlab.nonce=ab; then true; else echo "peerlab-grub: the image was not loaded"; reboot; fi
}
### peerlab end ###
`);
  });

  it('quotes what GRUB would interpret', () => {
    const commandLine = 'root=/dev/vda1 memmap=512M$0x40000000 a;b';
    expect(customConfig('', { ...entry, commandLine })).toContain(
      "if linux /k root=/dev/vda1 'memmap=512M$0x40000000' 'a;b'; then",
    );
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
    expect(await power.status()).toBe('on');
    expect(asked).toEqual(['qmp_capabilities', 'system_reset', 'qmp_capabilities', 'query-status']);
    server.close();
  });

  it('names the socket when nobody answers there', async () => {
    const power = createQemuPower({ qmpSocket: join(folder, 'none.sock') });
    await expect(power.reset()).rejects.toThrow(/none\.sock cannot be reached \(ENOENT\)/);
  });
});
