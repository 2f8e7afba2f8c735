import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { logStart } from '@peerlab/runtime';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startIpmiSim } from '../../testing/ipmi-sim.js';
import type { IpmiBmc } from '../bmc.js';
import { createLogFileConsole } from '../drivers/console-log-file.js';
import { solSource } from '../drivers/recorded-consoles.js';
import { programSource } from './program-source.js';
import { ConsoleRecorder, type RecorderSettings } from './recorder.js';
import type { ConsoleSource } from './source.js';
import { tcpSource } from './tcp-source.js';

let folder: string;
let file: string;
const atEnd: (() => Promise<unknown> | void)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-test-console-'));
  file = join(folder, 'consoles', 'm1.log');
});
afterEach(async () => {
  for (const end of atEnd.splice(0).reverse()) await end();
  rmSync(folder, { recursive: true, force: true });
});

function record(source: ConsoleSource, settings: Partial<RecorderSettings> = {}) {
  const stop = new AbortController();
  const recorder = new ConsoleRecorder({ machine: 'm1', source, file, pauseMs: 5, longestPauseMs: 20, ...settings });
  const ended = recorder.run(stop.signal);
  const end = async (): Promise<void> => {
    stop.abort();
    await ended;
  };
  atEnd.push(end);
  return { recorder, end };
}

const text = (): string => readFileSync(file, 'utf8');
const eventually = (what: () => void) => vi.waitFor(what, { timeout: 20_000, interval: 10 });

/** A serial port behind TCP. */
async function serialPort(): Promise<{ port: number; sockets: Socket[]; close: () => Promise<void>; server: Server }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    sockets.push(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  atEnd.push(close);
  return { port: (server.address() as AddressInfo).port, sockets, close, server };
}

describe('a console over TCP', () => {
  it('is recorded over connections; what is missing is said with from, to and reason', async () => {
    const serial = await serialPort();
    const { recorder } = record(tcpSource({ host: '127.0.0.1', port: serial.port }));
    expect(recorder.problem).toContain('not connected yet');
    await eventually(() => expect(serial.sockets).toHaveLength(1));
    serial.sockets[0]?.write('Linux version 7.3.4\r\n[    0.1] half a l');
    await eventually(() => expect(text()).toContain('half a l'));
    expect(recorder.problem).toBeNull();
    serial.sockets[0]?.destroy();
    await eventually(() => expect(serial.sockets).toHaveLength(2));
    serial.sockets[1]?.write('and on\n');
    await eventually(() => expect(text()).toContain('and on'));
    expect(text()).toMatch(
      /half a l\n\[peerlab: no console from 20\S+Z to 20\S+Z: (the other side closed the connection|read ECONNRESET)\]\nand on\n$/,
    );
  });

  it('that has no server is a problem with its reason, and is asked for again', async () => {
    const serial = await serialPort();
    await serial.close();
    const { recorder } = record(tcpSource({ host: '127.0.0.1', port: serial.port }));
    await eventually(() => expect(recorder.problem).toContain('ECONNREFUSED'));
    await new Promise<void>((resolve) => serial.server.listen(serial.port, '127.0.0.1', resolve));
    await eventually(() => expect(recorder.problem).toBeNull());
  });

  it('is followed by attempts from where they began, over a restart of the agent', async () => {
    const serial = await serialPort();
    const first = record(tcpSource({ host: '127.0.0.1', port: serial.port }));
    await eventually(() => expect(serial.sockets).toHaveLength(1));
    serial.sockets[0]?.write('before\n');
    await eventually(() => expect(text()).toContain('before'));
    const at = statSync(file).size;
    await first.end();
    record(tcpSource({ host: '127.0.0.1', port: serial.port }));
    await eventually(() => expect(serial.sockets).toHaveLength(2));
    serial.sockets[1]?.write('after\n');
    const lines: string[] = [];
    const follower = await createLogFileConsole({ logFile: file, pollMs: 5 }).follow(at, {
      onLine: (line) => lines.push(line),
    });
    await eventually(() => expect(lines).toContain('after'));
    await follower.stop();
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^\[peerlab: no console from .*: the agent did not run\]$/);
  });

  it('that prints without end takes a bounded part of the disk', async () => {
    const serial = await serialPort();
    record(tcpSource({ host: '127.0.0.1', port: serial.port }), { maxBytes: 4 << 20, cutBytes: 1 << 20 });
    await eventually(() => expect(serial.sockets).toHaveLength(1));
    const block = Buffer.alloc(1 << 20, 'x'.repeat(63) + '\n');
    for (let count = 0; count < 24; count += 1) {
      await new Promise((resolve) => serial.sockets[0]?.write(block, resolve));
    }
    await eventually(() => expect(statSync(file).size).toBeGreaterThanOrEqual(24 << 20));
    await eventually(() => expect(statSync(file).blocks * 512).toBeLessThanOrEqual(6 << 20));
    expect(await logStart(file)).toBeGreaterThan(16 << 20);
  });
});

it('a record that cannot be written is a problem of the console', async () => {
  file = '/dev/full';
  const serial = await serialPort();
  const { recorder } = record(tcpSource({ host: '127.0.0.1', port: serial.port }));
  await eventually(() => expect(serial.sockets).toHaveLength(1));
  serial.sockets[0]?.write('a line\n');
  await eventually(() => expect(recorder.problem).toMatch(/its record cannot be written: .*ENOSPC/));
});

describe('a console that a program prints', () => {
  it('is recorded; its end is the reason of the gap', async () => {
    writeFileSync(join(folder, 'lines'), 'one\n');
    const source = programSource({
      name: 'a console server',
      program: 'sh',
      args: ['-c', 'cat "$1"; echo "no such console" >&2; exit 3', 'sh', join(folder, 'lines')],
      terminal: false,
      openMark: null,
    });
    record(source);
    await eventually(() => expect(text().match(/one\n/g)?.length).toBeGreaterThan(1));
    expect(text()).toMatch(/\[peerlab: no console from \S+ to \S+: sh ended \(3\): .*no such console\]\none\n/);
  });

  it('that cannot be run is a problem that names it', async () => {
    const { recorder } = record(
      programSource({ name: 'x', program: 'no-such-program', args: [], terminal: false, openMark: null }),
    );
    await eventually(() => expect(recorder.problem).toMatch(/no-such-program ended .*No such file or directory/));
  });
});

describe('serial over LAN, against a simulated BMC', () => {
  it('has its session closed at the end, so that the next client has it at once, and the machine was sent nothing', async () => {
    const serial = await serialPort();
    const sent: Buffer[] = [];
    serial.server.on('connection', (socket) => socket.on('data', (chunk) => sent.push(chunk)));
    const sim = await startIpmiSim(folder, serial.port);
    atEnd.push(() => sim.stop());
    const { port, operator: user, passwordFile } = sim;
    const login = { user, passwordFile, privilege: 'operator', cipherSuite: 3 } as const;
    const bmc: IpmiBmc = { protocol: 'ipmi', host: '127.0.0.1', port, ...login };
    // One that is refused would not be there again before the test has ended.
    const once = { pauseMs: 120_000 };
    for (let client = 0; client < 2; client++) {
      const { recorder, end } = record(solSource(bmc), once);
      await eventually(() => expect(recorder.problem).toBeNull());
      await end();
    }
    expect(Buffer.concat(sent).toString()).toBe('');
    expect(text()).not.toContain('terminated');
  }, 60_000);

  it('is recorded, and a second client is refused and does not end the first one’s session', async () => {
    const serial = await serialPort();
    const sim = await startIpmiSim(folder, serial.port);
    atEnd.push(() => sim.stop());
    const bmc: IpmiBmc = {
      protocol: 'ipmi',
      host: '127.0.0.1',
      port: sim.port,
      user: sim.operator,
      passwordFile: sim.passwordFile,
      privilege: 'operator',
      cipherSuite: 3,
    };
    const { recorder } = record(solSource(bmc));
    await eventually(() => expect(recorder.problem).toBeNull());
    await eventually(() => expect(serial.sockets.length).toBeGreaterThan(0));
    serial.sockets.at(-1)?.write('Linux version 7.3.4\r\n');
    await eventually(() => expect(text()).toContain('Linux version 7.3.4'));
    // A second reader is refused and says so; the first one goes on.
    const other = new ConsoleRecorder({
      machine: 'm2',
      source: solSource(bmc),
      file: join(folder, 'other.log'),
      pauseMs: 5,
    });
    const stop = new AbortController();
    const ended = other.run(stop.signal);
    await eventually(() => expect(other.problem).toMatch(/already active/i));
    stop.abort();
    await ended;
    serial.sockets.at(-1)?.write('still here\r\n');
    await eventually(() => expect(text()).toContain('still here'));
    expect(recorder.problem).toBeNull();
  }, 90_000);
});
