import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '@peerlab/runtime';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RedfishService } from '../../testing/redfish-service.js';
import type { RedfishBmc } from '../bmc.js';
import type { SwitchPace } from '../switched-power.js';
import { createRedfishPower } from './redfish-power.js';

/**
 * The Redfish service of the tests, used by a client that is none of ours: sushy of OpenStack (Debian package python3-sushy).
 * What it agrees with is what the driver is tried against.
 */

const PACE: SwitchPace = { pollMs: 10, reachMs: 20_000, againMs: 5_000, coldMs: 10 };
/** Debian's: its packages are not in other ones. */
const PYTHON = '/usr/bin/python3';

/** Logs in, carries out each order (a ResetType), and prints the state before the first and after each. */
const CLIENT = `
import json, sys
import sushy
from sushy.resources.constants import ResetType
url, user, password_file, how, *orders = sys.argv[1:]
with open(password_file) as file:
    password = file.read().strip()
kind = {'session': sushy.auth.SessionAuth, 'basic': sushy.auth.BasicAuth}[how]
auth = kind(username=user, password=password)
try:
    root = sushy.Sushy(url, auth=auth)
    system = root.get_system()
    allowed = sorted(value.value for value in system.get_allowed_reset_system_values())
    states = [system.power_state.value]
    for order in orders:
        system.reset_system(ResetType(order))
        system.refresh()
        states.append(system.power_state.value)
    print(json.dumps({'id': system.identity, 'allowed': allowed, 'states': states}))
except sushy.exceptions.AccessError as error:
    print(json.dumps({'refused': error.status_code}))
finally:
    auth.close()
`;

let folder: string;
let service: RedfishService;
let bmc: RedfishBmc;
let close: () => Promise<void>;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'peerlab-sushy-'));
  service = new RedfishService();
  const server = createServer((request, response) => service.serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  close = () => new Promise((resolve) => server.close(() => resolve()));
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, `${service.password}\n`);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  bmc = { protocol: 'redfish', url, user: service.user, passwordFile };
});
afterEach(async () => {
  await close();
  rmSync(folder, { recursive: true, force: true });
});

async function sushy(how: 'session' | 'basic', ...orders: string[]): Promise<unknown> {
  const words = ['-c', CLIENT, bmc.url, bmc.user, bmc.passwordFile, how, ...orders];
  const env = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', no_proxy: '*' };
  const { code, stdout, stderr } = await runProgram(PYTHON, words, { timeoutMs: 120_000, env });
  if (code !== 0) throw new Error(`sushy failed (package python3-sushy): ${stderr.slice(-2000)}`);
  return JSON.parse(stdout);
}

const ALLOWED = ['ForceOff', 'ForceRestart', 'On'];

it('finds the system by the service root, reads its state, and what it orders is what the driver sees', async () => {
  const power = createRedfishPower(bmc, PACE);
  expect(await sushy('session', 'ForceOff')).toEqual({ id: '1', allowed: ALLOWED, states: ['On', 'Off'] });
  expect(service.power).toBe('Off');
  expect(await power.state()).toBe('off');
  expect(await sushy('basic', 'On', 'ForceRestart')).toEqual({
    id: '1',
    allowed: ALLOWED,
    states: ['Off', 'On', 'On'],
  });
  expect(await power.state()).toBe('on');
  await power.cycle?.();
  expect(service.orders).toEqual(['ForceOff', 'On', 'ForceRestart', 'ForceOff', 'On']);
  // One session was opened and closed; the driver opens none.
  expect([service.sessionsOpened, service.sessions.size]).toEqual([1, 0]);
});

it('sees what the driver did', async () => {
  service.power = 'Off';
  await createRedfishPower(bmc, PACE).reset();
  expect(await sushy('session')).toMatchObject({ states: ['On'] });
});

it('is refused with another password, as the driver is', async () => {
  writeFileSync(bmc.passwordFile, 'another');
  expect(await sushy('session', 'ForceOff')).toEqual({ refused: 401 });
  expect(await sushy('basic', 'ForceOff')).toEqual({ refused: 401 });
  await expect(createRedfishPower(bmc, PACE).state()).rejects.toThrow('is refused (401)');
  expect([service.power, service.orders]).toEqual(['On', []]);
});
