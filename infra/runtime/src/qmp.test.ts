import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { QmpConnection, QmpError, readQmpLine, runQmpCommand } from './qmp.js';

const QEMU = 'qemu-system-x86_64';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-qmp-'));
  path = join(folder, 'qmp.sock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a line of the protocol', () => {
  it.each([
    ['{"QMP": {"version": {}}}', { kind: 'greeting' }],
    ['{"event": "RESET", "data": {"guest": true}}', { kind: 'event', event: 'RESET', data: { guest: true } }],
    ['{"return": {}, "id": 3}', { kind: 'answer', id: 3, value: {} }],
    ['{"id": 4, "error": {"class": "X", "desc": "no"}}', { kind: 'error', id: 4, text: 'no' }],
    ['{"id": 4, "error": {}}', { kind: 'error', id: 4, text: 'no reason given' }],
  ])('is read: %s', (line, message) => expect(readQmpLine(line)).toEqual(message));

  it.each(['', '{', 'null', '[]', '7', '{"event": 1}', '{"surprise": {}}'])('is refused: %s', (line) =>
    expect(() => readQmpLine(line)).toThrow(),
  );
});

function hasQemu(): boolean {
  try {
    execFileSync(QEMU, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!hasQemu())('the monitor of a QEMU', () => {
  let qemu: ChildProcess;
  beforeEach(async () => {
    const nothing = ['-machine', 'none', '-nodefaults', '-display', 'none'];
    qemu = spawn(QEMU, [...nothing, '-qmp', `unix:${path},server=on,wait=off`], { stdio: 'inherit' });
    // QEMU makes the socket a moment before it listens at it.
    await vi.waitFor(() => runQmpCommand(path, 'query-status'), { timeout: 75_000, interval: 20 });
  });
  afterEach(() => void qemu.kill('SIGKILL'));

  it('answers commands, delivers events, and ends with its QEMU', async () => {
    const events: string[] = [];
    const connection = await QmpConnection.open(path, (event) => events.push(event));
    const [status, schema] = await Promise.all([
      connection.command('query-status'),
      connection.command('query-qmp-schema'),
    ]);
    expect(status).toMatchObject({ running: true });
    expect((schema as unknown[]).length).toBeGreaterThan(100);
    await expect(connection.command('no-such-command')).rejects.toThrow(/refused no-such-command: .*not been found/);
    await connection.command('stop');
    await connection.command('quit');
    await connection.closed;
    expect(events).toEqual(['STOP', 'SHUTDOWN']);
    await expect(connection.command('query-status')).rejects.toThrow('closed the connection');
  });

  it('serves one client at a time: the next is answered when the first has gone', async () => {
    const first = await QmpConnection.open(path, () => undefined);
    await expect(runQmpCommand(path, 'query-status', { timeoutMs: 200 })).rejects.toThrow(
      `the QEMU monitor ${path} does not answer the connection within 0.2 s`,
    );
    first.close();
    expect(await runQmpCommand(path, 'query-status')).toMatchObject({ running: true });
  });
});

describe('a monitor that does not behave', () => {
  let server: Server;
  let sockets: Socket[];
  /** What the server does with a connection after its greeting. */
  async function serve(act: (socket: Socket, execute: string, id: number) => void, greeting = '{"QMP": {}}\n') {
    sockets = [];
    server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.write(greeting);
      socket.on('data', (data) => {
        for (const line of data.toString().trim().split('\n')) {
          const { execute, id } = JSON.parse(line) as { execute: string; id: number };
          if (execute === 'qmp_capabilities') socket.write(`{"return": {}, "id": ${id}}\n`);
          else act(socket, execute, id);
        }
      });
    });
    server.listen(path);
    await once(server, 'listening');
  }
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  it.each([
    ['what is no JSON', 'hello\n', 'does not speak QMP'],
    ['null', 'null\n', 'does not speak QMP'],
    ['a line without end', 'x'.repeat(5 * 1024 * 1024), 'sent a line of more than 4194304 characters'],
  ])('ends the connection when it sends %s', async (_what, text, problem) => {
    await serve((socket) => void socket.write(text));
    const connection = await QmpConnection.open(path, () => undefined);
    await expect(connection.command('query-status')).rejects.toThrow(problem);
    await connection.closed;
  });

  it('fails everything that waits when it goes away', async () => {
    await serve((socket, execute) => void (execute === 'die' && socket.destroy()));
    const connection = await QmpConnection.open(path, () => undefined);
    const ends = await Promise.allSettled([connection.command('wait'), connection.command('die')]);
    const reason = new QmpError(path, 'closed the connection');
    expect(ends).toEqual([
      { status: 'rejected', reason },
      { status: 'rejected', reason },
    ]);
    await connection.closed;
  });

  it('gives up a command that is not answered, or whose signal is aborted, and serves the next', async () => {
    await serve((socket, execute, id) => void (execute === 'quick' && socket.write(`{"return": 1, "id": ${id}}\n`)));
    const connection = await QmpConnection.open(path, () => undefined, { timeoutMs: 300 });
    await expect(connection.command('slow')).rejects.toThrow('does not answer slow within 0.3 s');
    const stop = new AbortController();
    const aborted = connection.command('slow', stop.signal);
    stop.abort(new Error('canceled'));
    await expect(aborted).rejects.toThrow('canceled');
    expect(await connection.command('quick')).toBe(1);
    connection.close();
  });

  it('takes answers in any order and in any chunks', async () => {
    const asked: number[] = [];
    await serve((socket, _execute, id) => {
      asked.push(id);
      if (asked.length < 2) return;
      const text = asked
        .toReversed()
        .map((each) => `{"event": "É"}\r\n{"return": ${each}, "id": ${each}}\r\n`)
        .join('');
      for (const byte of Buffer.from(text)) socket.write(Buffer.of(byte));
    });
    const events: string[] = [];
    const connection = await QmpConnection.open(path, (event) => events.push(event));
    expect(await Promise.all([connection.command('a'), connection.command('b')])).toEqual(asked);
    expect(events).toEqual(['É', 'É']);
    connection.close();
  });
});

it('survives a QEMU that is killed while a command is unread', async () => {
  // Only the death of another process resets a UNIX connection.
  const source = `require('node:net').createServer((socket) => {
    socket.write('{"QMP": {}}\\n');
    socket.once('data', () => { socket.pause(); socket.write('{"return": {}, "id": 1}\\n'); });
  }).listen(process.argv[1], () => console.log('up'));`;
  const qemu = spawn(process.execPath, ['-e', source, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(qemu.stdout, 'data');
  const connection = await QmpConnection.open(path, () => undefined);
  const unanswered = connection.command('never read');
  qemu.kill('SIGKILL');
  await expect(unanswered).rejects.toThrow('closed the connection');
  await connection.closed;
});

it('names the socket when there is none', async () => {
  await expect(QmpConnection.open(path, () => undefined)).rejects.toThrow(
    `the QEMU monitor ${path} cannot be reached (ENOENT)`,
  );
});
