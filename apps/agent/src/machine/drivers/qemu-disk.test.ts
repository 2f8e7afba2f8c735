import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type Server, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createQemuDisk } from './qemu-disk.js';

let folder: string;
let stateFile: string;
let qmpSocket: string;
let servers: Server[];
/** Commands that a QEMU was given, and what the state file said then. */
let asked: [string, string][];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'qemu-disk-'));
  stateFile = join(folder, 'disk.state');
  qmpSocket = join(folder, 'qmp.sock');
  servers = [];
  asked = [];
});
afterEach(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
});

const state = (): string => (existsSync(stateFile) ? readFileSync(stateFile, 'utf8').trim() : 'fresh');

/** A QEMU; `onQuit` is called when it has ended. */
async function startQemu(onQuit: () => void): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('{"QMP":{}}\r\n');
    socket.on('data', (chunk) => {
      for (const line of chunk.toString().trim().split('\n')) {
        const { execute, id } = JSON.parse(line) as { execute: string; id: string };
        if (execute !== 'qmp_capabilities') asked.push([execute, state()]);
        socket.write(`${JSON.stringify({ return: { running: true }, id })}\r\n`);
        if (execute !== 'quit') continue;
        socket.destroy();
        server.close(onQuit);
      }
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(qmpSocket, resolve));
}

/** As the lab does it: the overlay and its state first, then QEMU. */
async function startOnFreshDisk(): Promise<void> {
  rmSync(stateFile, { force: true });
  await startQemu(() => undefined);
}

describe('the disk of a machine of the lab', () => {
  it('is fresh until it is marked, and again after a reset: the order is on disk before QEMU ends', async () => {
    await startQemu(() => void startOnFreshDisk());
    const disk = createQemuDisk({ qmpSocket, stateFile });
    expect(await disk.isFresh()).toBe(true);
    await disk.markUsed();
    expect(await disk.isFresh()).toBe(false);
    await disk.reset();
    expect(await disk.isFresh()).toBe(true);
    expect(asked).toEqual([
      ['quit', 'discard'],
      ['query-status', 'fresh'],
    ]);
  });

  it('is reset when its QEMU has ended already, and the lab starts it late', async () => {
    // What is left of its monitor hangs up; until it has, the order to end could still reach the machine that comes up.
    const left = createServer((socket) => socket.destroy());
    servers.push(left);
    await new Promise<void>((resolve) => left.listen(qmpSocket, resolve));
    const told = new Promise((resolve) => left.once('connection', resolve));
    const disk = createQemuDisk({ qmpSocket, stateFile });
    const reset = disk.reset();
    await told;
    expect(state()).toBe('discard');
    await new Promise((resolve) => left.close(resolve));
    await startOnFreshDisk();
    await reset;
    expect(asked).toEqual([['query-status', 'fresh']]);
  });

  it('is not called reset while nobody starts the machine again, and stays to be discarded', async () => {
    await startQemu(() => undefined);
    const disk = createQemuDisk({ qmpSocket, stateFile, resetMs: 400 });
    await expect(disk.reset()).rejects.toMatchObject({
      kind: 'power',
      message: expect.stringContaining('no fresh disk within 0.4 s') as string,
      remedy: expect.stringContaining('peerlab-lab status') as string,
    });
    expect(state()).toBe('discard');
    expect(await disk.isFresh()).toBe(false);
  });

  it('ends with the reason of the signal, and can be asked again', async () => {
    const disk = createQemuDisk({ qmpSocket, stateFile });
    const stop = new AbortController();
    const reset = disk.reset(stop.signal);
    stop.abort(new Error('canceled'));
    await expect(reset).rejects.toThrow('canceled');
    await startQemu(() => void startOnFreshDisk());
    await disk.reset();
    expect(await disk.isFresh()).toBe(true);
  });
});
