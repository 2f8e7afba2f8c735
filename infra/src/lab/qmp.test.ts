import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { QmpConnection, readQmpLine } from './qmp.js';

describe('readQmpLine', () => {
  test.each([
    ['{"QMP": {"version": {}}}', { kind: 'greeting' }],
    [
      '{"timestamp": {}, "event": "RESET", "data": {"guest": true}}',
      { kind: 'event', event: 'RESET', data: { guest: true } },
    ],
    ['{"return": {}, "id": 3}', { kind: 'answer', id: 3, value: {} }],
    ['{"id": 4, "error": {"class": "X", "desc": "no"}}', { kind: 'error', id: 4, text: 'no' }],
  ])('%s', (line, message) => expect(readQmpLine(line)).toEqual(message));
});

describe('QmpConnection', () => {
  let folder = '';
  let server: Server;
  const peers: Socket[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'peerlab-qmp-'));
    server = createServer((socket) => {
      peers.push(socket);
      socket.on('error', () => undefined);
      socket.write('{"QMP": {}}\n');
      socket.on('data', (data) => {
        for (const line of data.toString().trim().split('\n')) {
          const { execute, id } = JSON.parse(line) as { execute: string; id: number };
          if (execute === 'refuse') socket.write(`{"error": {"desc": "not now"}, "id": ${id}}\n`);
          else if (execute === 'die') socket.destroy();
          else socket.write(`{"event": "SEEN", "data": null}\n{"return": "${execute}", "id": ${id}}\n`);
        }
      });
    });
    server.listen(join(folder, 's'));
    await once(server, 'listening');
  });
  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.destroy();
    server.close();
    await rm(folder, { recursive: true });
  });

  test('answers commands by number and delivers events', async () => {
    const events: string[] = [];
    const connection = await QmpConnection.open(join(folder, 's'), (event) => events.push(event));
    await expect(Promise.all([connection.command('a'), connection.command('b')])).resolves.toEqual(['a', 'b']);
    await expect(connection.command('refuse')).rejects.toThrow(/not now/);
    expect(events.length).toBe(3);
    connection.close();
  });

  test('fails what is under way when QEMU dies, and says that it is gone', async () => {
    const connection = await QmpConnection.open(join(folder, 's'), () => undefined);
    await expect(connection.command('die')).rejects.toThrow(/closed its monitor/);
    await connection.closed;
  });

  test('survives a QEMU that is killed with our words unread', async () => {
    // Only the death of another process resets a UNIX connection.
    const source = `require('node:net').createServer((socket) => {
      socket.write('{"QMP": {}}\\n');
      socket.once('data', () => { socket.pause(); socket.write('{"return": {}, "id": 1}\\n'); });
    }).listen(process.argv[1], () => console.log('up'));`;
    const qemu = spawn(process.execPath, ['-e', source, join(folder, 'killed')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(qemu.stdout, 'data');
    const connection = await QmpConnection.open(join(folder, 'killed'), () => undefined);
    const unanswered = connection.command('never read');
    qemu.kill('SIGKILL');
    await expect(unanswered).rejects.toThrow(/closed its monitor/);
    await connection.closed;
  });

  test('names the socket when nobody listens', async () => {
    await expect(QmpConnection.open(join(folder, 'none'), () => undefined)).rejects.toThrow(/none/);
  });
});
