import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, type Server, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeLab, startFakeLab } from '../../fake/fake-lab.js';
import { readHostKey } from './host-key.js';

let folder: string;
let lab: FakeLab;
let door: Server | null = null;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'host-key-'));
  lab = await startFakeLab(folder);
});
afterEach(async () => {
  door?.close();
  door = null;
  await lab.fake.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A port that sends so many connections away before one gets through to the server. */
async function busyDoor(turnedAway: number, words: string): Promise<{ port: number; asked: () => number }> {
  let asked = 0;
  door = createServer((client) => {
    asked += 1;
    client.on('error', () => undefined);
    if (asked <= turnedAway) return void client.end(words);
    const server = connect(lab.fake.ssh.port, '127.0.0.1').on('error', () => client.destroy());
    client.pipe(server).pipe(client);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => door?.once('listening', resolve));
  return { port: (door.address() as AddressInfo).port, asked: () => asked };
}

describe('the host key of a machine', () => {
  it.each(['Exceeded MaxStartups\r\n', ''])(
    'is asked for again where a connection was closed after %j',
    async (words) => {
      const direct = await readHostKey('127.0.0.1', lab.fake.ssh.port, 5_000);
      const { port, asked } = await busyDoor(2, words);
      expect(await readHostKey('127.0.0.1', port, 20_000)).toEqual(direct);
      expect(asked()).toBeGreaterThanOrEqual(3);
    },
  );

  it('is given up when the time is over', async () => {
    const { port, asked } = await busyDoor(Number.POSITIVE_INFINITY, 'Exceeded MaxStartups\r\n');
    await expect(readHostKey('127.0.0.1', port, 1_500)).rejects.toThrow(
      `127.0.0.1:${port} does not answer by SSH: Connection lost before handshake`,
    );
    expect(asked()).toBe(2);
  });

  it('is given up at once where nothing listens', async () => {
    const { port } = await busyDoor(0, '');
    door?.close();
    door = null;
    await expect(readHostKey('127.0.0.1', port, 600_000)).rejects.toThrow(
      /does not answer by SSH: connect ECONNREFUSED/,
    );
  });
});
