import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { machinePaths, makePrivateDirectory } from './paths.js';
import { BMC_USER, type PowerOrder, readOrder, VirtualBmc } from './virtual-bmc.js';

const run = promisify(execFile);
/** Of this test alone. */
const PORTS = { ipmi: 22_991, bmc: 22_992, console: 22_993 };

let stateDir = '';
let bmc: VirtualBmc;
let orders: PowerOrder[] = [];
const sockets: Socket[] = [];

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'peerlab-bmc-'));
  const paths = machinePaths(stateDir, 's-uefi');
  await makePrivateDirectory(paths.dir);
  orders = [];
  bmc = new VirtualBmc(paths, PORTS, (order) => orders.push(order));
  await bmc.prepare();
  await bmc.start();
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await bmc.stop();
  await rm(stateDir, { recursive: true, force: true });
});

const session = (): string[] => {
  const who = `-H 127.0.0.1 -p ${PORTS.ipmi} -U ${BMC_USER} -f ${bmc.passwordFile}`;
  return `-I lanplus ${who} -C 3 -N 1 -R 3`.split(' ');
};
const ipmitool = async (...command: string[]): Promise<string> =>
  (await run('ipmitool', [...session(), ...command])).stdout.trim();

/** Waits for something that another process does. */
const until = (holds: () => boolean): Promise<void> =>
  vi.waitFor(() => expect(holds()).toBe(true), { timeout: 30_000, interval: 20 });
/** The simulator has started. */
const answers = (): Promise<string> => vi.waitFor(() => ipmitool('mc', 'info'), { timeout: 30_000, interval: 200 });

async function qemu(): Promise<Socket> {
  const socket = connect(machinePaths(stateDir, 's-uefi').serialSocket);
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

test('hands on what a genuine client orders, once each, and says what the lab made of it', async () => {
  await answers();
  expect(await ipmitool('chassis', 'power', 'status')).toBe('Chassis Power is off');
  await ipmitool('chassis', 'power', 'on');
  await until(() => orders.length === 1);
  await bmc.setPower(true);
  expect(await ipmitool('chassis', 'power', 'status')).toBe('Chassis Power is on');
  await ipmitool('chassis', 'power', 'reset');
  await ipmitool('chassis', 'power', 'soft');
  await ipmitool('chassis', 'power', 'off');
  await until(() => orders.length === 4);
  expect(orders).toEqual(['on', 'reset', 'shutdown', 'off']);
});

test('keeps its password to its owner, and over restarts of the lab', async () => {
  expect((await stat(bmc.passwordFile)).mode & 0o777).toBe(0o600);
  await answers();
  await bmc.prepare();
  expect(await ipmitool('mc', 'info')).toContain('Device ID');
});

test('brings the serial line to a client over IPMI, also of a server that was started again', async () => {
  await answers();
  const words = ['ipmitool', ...session(), 'sol', 'activate'].join(' ');
  const client = execFile('script', ['-qefc', words, '/dev/null']);
  let seen = '';
  client.stdout?.on('data', (chunk: string) => (seen += chunk));
  try {
    await until(() => seen.includes('SOL Session operational'));
    const first = await qemu();
    first.write('firmware of the first start\r\n');
    await until(() => seen.includes('firmware of the first start'));
    first.destroy();
    (await qemu()).write('firmware of the second start\r\n');
    await until(() => seen.includes('firmware of the second start'));
  } finally {
    client.kill('SIGKILL');
  }
});

test('knows the orders of the simulator, and leaves others alone', () => {
  expect(['power 1', 'power 0', 'reset 1', 'shutdown 1', 'boot pxe', ''].map(readOrder)).toEqual([
    'on',
    'off',
    'reset',
    'shutdown',
    null,
    null,
  ]);
});
