import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endChild } from '@peerlab/runtime';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { conserverSource } from '../drivers/recorded-consoles.js';
import { netconsoleSource } from './netconsole-source.js';
import type { ConsoleSource } from './source.js';

let folder: string;
const atEnd: (() => Promise<unknown> | void)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-test-sources-'));
});
afterEach(async () => {
  for (const end of atEnd.splice(0).reverse()) await end();
  rmSync(folder, { recursive: true, force: true });
});

const eventually = (what: () => void) => vi.waitFor(what, { timeout: 20_000, interval: 10 });

/** Reads a source until the end of the test. */
function read(source: ConsoleSource) {
  const seen = { text: '', opened: 0, ended: null as string | null };
  const stop = new AbortController();
  const ended = source.read(
    {
      onOpen: () => (seen.opened += 1),
      onBytes: (chunk) => {
        seen.text += chunk.toString();
        return null;
      },
    },
    stop.signal,
  );
  void ended.then((why) => (seen.ended = why));
  atEnd.push(async () => {
    stop.abort();
    await ended;
  });
  return seen;
}

/** A TCP port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

it('netconsole: takes the datagrams of its machine, and of no other', async () => {
  const port = await freePort();
  const seen = read(netconsoleSource({ host: '127.0.0.1', port, from: '127.0.0.2' }));
  await eventually(() => expect(seen.opened).toBe(1));
  for (const [address, text] of [
    ['127.0.0.3', 'of another machine\n'],
    ['127.0.0.2', '[    3.1] netconsole: network logging started\n'],
    ['127.0.0.2', '[    9.9] Oops: 0000\n'],
  ] as const) {
    const socket = createSocket('udp4');
    socket.bind(0, address);
    await once(socket, 'listening');
    await new Promise((resolve) => socket.send(text, port, '127.0.0.1', resolve));
    socket.close();
  }
  await eventually(() => expect(seen.text).toContain('Oops'));
  expect(seen.text).toBe('[    3.1] netconsole: network logging started\n[    9.9] Oops: 0000\n');
});

it('netconsole: a port that is taken is the reason that it ends with', async () => {
  const holder = createSocket('udp4');
  holder.bind(0, '127.0.0.1');
  await once(holder, 'listening');
  atEnd.push(() => void holder.close());
  const seen = read(netconsoleSource({ host: '127.0.0.1', port: holder.address().port, from: '127.0.0.2' }));
  await eventually(() => expect(seen.ended).toMatch(/EADDRINUSE/));
  expect(seen.opened).toBe(0);
});

it('conserver: looks on at a console of a genuine server', async () => {
  const sockets: Socket[] = [];
  const serial = createServer((socket) => sockets.push(socket));
  serial.listen(0, '127.0.0.1');
  await once(serial, 'listening');
  atEnd.push(() => {
    for (const socket of sockets) socket.destroy();
    serial.close();
  });
  const [port, second] = [await freePort(), await freePort()];
  const passwords = join(folder, 'passwd');
  writeFileSync(passwords, '*any*:\n', { mode: 0o600 });
  const config = join(folder, 'conserver.cf');
  writeFileSync(
    config,
    `config * { defaultaccess trusted; daemonmode no; logfile ${join(folder, 'log')}; passwdfile ${passwords};
  primaryport ${port}; secondaryport ${second}; sslrequired no; setproctitle no; }
access * { trusted 127.0.0.1; allowed 127.0.0.1; }
console m1 { master localhost; type host; host 127.0.0.1; protocol raw; port ${(serial.address() as AddressInfo).port};
  logfile ""; ro *; rw *; }
`,
  );
  const server = spawn('conserver', ['-M', '127.0.0.1', '-C', config], { stdio: 'ignore', detached: true });
  const gone = once(server, 'close');
  atEnd.push(async () => {
    endChild(server);
    await gone;
  });
  await eventually(() => expect(sockets).toHaveLength(1));
  // It connects to its consoles before it listens itself.
  await vi.waitFor(() => once(connect(port, '127.0.0.1').end(), 'connect'), { timeout: 20_000, interval: 50 });
  const seen = read(conserverSource({ host: '127.0.0.1', port, console: 'm1', user: 'peerlab' }));
  await eventually(() => expect(seen.opened).toBe(1));
  sockets[0]?.write('Linux version 7.3.4\r\n');
  await eventually(() => expect(seen.text).toContain('Linux version 7.3.4'));
});
