import { describe, expect, test } from 'vitest';
import { MACHINES } from './machines.js';
import { type LabCommand, LabUsageError, readLabCommand, serverPortsOf, sshPortOf } from './options.js';
import { SERVERS } from './servers.js';

/** `all` leaves the servers out: they take minutes to boot. */
const PLAIN = MACHINES.filter(({ server }) => server === undefined);

const read = (argv: string[], env: NodeJS.ProcessEnv = {}, uid = 1000) =>
  readLabCommand(argv, { HOME: '/home/u', ...env }, uid);

describe('readLabCommand', () => {
  test('takes folders from options, then the environment, then the platform', () => {
    expect(read(['up', '--state', '/s', '--cache', '/c'], { PEERLAB_STATE: '/x' })).toMatchObject({
      stateDir: '/s',
      cacheDir: '/c',
    });
    expect(read(['up'], { PEERLAB_STATE: '/x', PEERLAB_CACHE: '/y' })).toMatchObject({
      stateDir: '/x',
      cacheDir: '/y',
    });
    expect(read(['up'])).toMatchObject({
      stateDir: '/home/u/.local/state/peerlab',
      cacheDir: '/home/u/.cache/peerlab',
    });
    expect(read(['up'], {}, 0)).toMatchObject({ stateDir: '/var/lib/peerlab' });
  });

  test('chooses machines in the order of their definition', () => {
    const command = read(['up', '--machines', 'v-intel-roots,v-switch']);
    expect(command).toMatchObject({ machines: [{ name: 'v-switch' }, { name: 'v-intel-roots' }] });
  });

  test('brings up the three paths by default, everything on demand, and ends everything', () => {
    const names = (argv: string[]) => (read(argv) as LabCommand).machines.map(({ name }) => name);
    expect(names(['up'])).toEqual(['v-switch', 'v-amd-roots', 'v-intel-roots']);
    expect(names(['up', '--machines', 'all'])).toEqual(PLAIN.map(({ name }) => name));
    expect(names(['down', '--machines', 'v-switch'])).toEqual(MACHINES.map(({ name }) => name));
  });

  test('gives each server ports of its own, above those of all machines', () => {
    const ports = SERVERS.flatMap(({ name }) => Object.values(serverPortsOf(22_101, name) ?? {}));
    expect(new Set([...ports, ...MACHINES.map(({ name }) => sshPortOf(22_101, name))]).size).toBe(
      3 * SERVERS.length + MACHINES.length,
    );
    expect(serverPortsOf(22_101, 'v-switch')).toBeNull();
    expect(() => read(['up', '--port-base', '65500'])).toThrow(/--port-base 65500: expected a port/);
  });

  test.each([
    [['up', '--machines', 'v-swich'], /no machine "v-swich"; expected "all" or some of v-switch/],
    [['up', '--boot-slots', '0'], /--boot-slots 0: expected a whole number, at least 1/],
    [['up', '--port-base', '80'], /--port-base 80: expected a port from 1024/],
    [['up', '--port-base', 'abc'], /--port-base abc/],
    [['up', '--colour'], /colour/],
    [['fly'], /expected one of: up, status, down/],
    [[], /expected one of/],
  ])('refuses %j', (argv, message) => {
    expect(() => read(argv)).toThrow(LabUsageError);
    expect(() => read(argv)).toThrow(message);
  });

  test('gives every machine a port of its own that does not depend on the choice', () => {
    expect(MACHINES.map(({ name }) => sshPortOf(22101, name))).toEqual(MACHINES.map((_, index) => 22101 + index));
  });
});
