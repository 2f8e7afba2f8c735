import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import ssh2 from 'ssh2';
import { expect, it } from 'vitest';
import { startIpmiSim } from './testing/ipmi-sim.js';

const MAIN = join(dirname(fileURLToPath(import.meta.url)), '../dist/main.js');

/** The built agent, until it said something of its console; then it is told to stop. Resolves to that event when it has. */
async function startAndStop(config: string): Promise<unknown> {
  const agent = spawn(process.execPath, [MAIN, '--config', config], { stdio: ['ignore', 'inherit', 'pipe'] });
  const ended = once(agent, 'exit');
  const said: unknown[] = [];
  createInterface({ input: agent.stderr }).on('line', (line) => {
    const { event } = JSON.parse(line) as { event?: string };
    if (event !== 'console-connected' && event !== 'console-lost') return;
    said.push(event);
    agent.kill('SIGTERM');
  });
  expect(await ended).toEqual([0, null]);
  return said[0];
}

it('an agent that is told to stop gives its console back: the next one has it at once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'peerlab-test-stopping-'));
  const serial = createServer((socket) => socket.on('error', () => undefined).resume());
  await new Promise<void>((resolve) => serial.listen(0, '127.0.0.1', resolve));
  const sim = await startIpmiSim(folder, (serial.address() as AddressInfo).port);
  try {
    writeFileSync(join(folder, 'agent.token'), 'a-token-that-nobody-reads', { mode: 0o600 });
    const bmc = { protocol: 'ipmi', host: '127.0.0.1', port: sim.port, user: sim.operator, privilege: 'operator' };
    const keys = ssh2.utils.generateKeyPairSync('ed25519');
    const login = { privateKeyFile: join(folder, 'key'), hostKey: keys.public };
    writeFileSync(login.privateKeyFile, keys.private, { mode: 0o600 });
    const shell = { driver: 'ssh', host: '127.0.0.1', port: 9, ...login };
    const machine = { name: 'm1', shell, console: { driver: 'sol', bmc: 'm1' } };
    const places = { tokenFile: 'agent.token', stateDir: 'state', cacheDir: 'cache' };
    const farm = { controller: 'ws://127.0.0.1:9', name: 'lab', ...places, capabilities: ['test'] };
    const bmcs = { m1: { ...bmc, cipherSuite: 3, passwordFile: sim.passwordFile } };
    const config = join(folder, 'agent.yaml');
    writeFileSync(config, JSON.stringify({ ...farm, bmcs, machines: [machine] }));
    expect(await startAndStop(config)).toBe('console-connected');
    expect(await startAndStop(config)).toBe('console-connected');
  } finally {
    await sim.stop();
    serial.close();
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);
