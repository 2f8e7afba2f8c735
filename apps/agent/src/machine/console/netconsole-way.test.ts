import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { netconsoleArgument, netconsoleWayScript, parseNetconsoleWay } from './netconsole-way.js';

const RELEASE = '7.3.4-peerlab-abababab';
const SAID =
  'agent|10.0.0.2\ndevice|eno1\nmac|52:54:00:00:00:01\nnext-hop|52:54:00:00:00:02\ndriver|mlx5_core\nbuilt-in|yes\n';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'netconsole-way-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text, { mode });
}

/** What iproute2 prints: one line, with a backslash where others have a line end. */
function network(route: string, neighbour: string): void {
  put(
    'bin/ip',
    `#!/bin/sh\ncase "$*" in\n'-o route get '*) printf '%s\\n' '${route}' ;;\n'-o neigh show to '*) echo "$*" >>${root}/asked; printf '%s\\n' '${neighbour}' ;;\nesac\n`,
    0o755,
  );
}

/** An interface with a driver. @param module whether that is a module of the kernel that runs */
function device(name: string, driver: string, module: boolean): void {
  put(`sys/class/net/${name}/address`, '52:54:00:00:00:01\n');
  put(`sys/module/${driver}/${module ? 'initstate' : 'uevent'}`, 'live\n');
  const bound = join(root, `sys/class/net/${name}/device/driver`);
  mkdirSync(bound, { recursive: true });
  symlinkSync(join(root, `sys/module/${driver}`), join(bound, 'module'));
}

function ask(release: string | null, connection = '10.0.0.2 51234 10.0.0.1 22') {
  const text = netconsoleWayScript(release, root);
  const env = { PATH: `${join(root, 'bin')}:/usr/bin:/bin`, SSH_CONNECTION: connection };
  const { stdout, stderr, status } = spawnSync('/bin/sh', ['-c', text], { encoding: 'utf8', env });
  return { stdout, stderr, status };
}

const ROUTE = '10.0.0.2 from 10.0.0.1 dev eno1 uid 0 \\    cache ';
const NEIGHBOUR = '10.0.0.2 lladdr 52:54:00:00:00:02 REACHABLE';

describe('the way from a machine to its agent', () => {
  it('is that of the connection, with the hardware address of the next computer', () => {
    network(ROUTE, NEIGHBOUR);
    device('eno1', 'mlx5_core', true);
    expect(parseNetconsoleWay(ask(null).stdout)).toEqual({
      agent: '10.0.0.2',
      device: 'eno1',
      mac: '52:54:00:00:00:01',
      nextHop: '52:54:00:00:00:02',
      driver: 'mlx5_core',
      isDriverBuiltIn: false,
    });
  });

  it('leads over a router where there is one', () => {
    network('192.0.2.7 from 10.0.0.1 via 10.0.0.254 dev eno1 uid 0 \\    cache ', NEIGHBOUR);
    device('eno1', 'mlx5_core', false);
    const way = parseNetconsoleWay(ask(null, '192.0.2.7 51234 10.0.0.1 22').stdout);
    expect(way).toMatchObject({ agent: '192.0.2.7', isDriverBuiltIn: true });
    expect(spawnSync('cat', [join(root, 'asked')], { encoding: 'utf8' }).stdout).toContain('to 10.0.0.254 dev eno1');
  });

  it.each([
    ['as a module', `insmod /lib/modules/${RELEASE}/kernel/mlx5_core.ko `, false],
    ['built in', 'builtin mlx5_core', true],
  ])('goes by a driver that another kernel has %s', (_, answer, isDriverBuiltIn) => {
    network(ROUTE, NEIGHBOUR);
    device('eno1', 'mlx5_core', true);
    mkdirSync(join(root, 'lib/modules', RELEASE), { recursive: true });
    put(
      'bin/modprobe',
      `#!/bin/sh\n[ "$*" = '-S ${RELEASE} --ignore-install --show-depends mlx5_core' ] && echo '${answer}'\n`,
      0o755,
    );
    expect(parseNetconsoleWay(ask(RELEASE).stdout)).toMatchObject({ isDriverBuiltIn });
  });

  it('goes by a driver that is built in where the other kernel has no modules at all', () => {
    network(ROUTE, NEIGHBOUR);
    device('eno1', 'mlx5_core', true);
    expect(parseNetconsoleWay(ask(RELEASE).stdout)).toMatchObject({ isDriverBuiltIn: true });
  });

  it('goes by no driver of its own over a bridge', () => {
    network(ROUTE, NEIGHBOUR);
    put('sys/class/net/eno1/address', '52:54:00:00:00:01\n');
    expect(parseNetconsoleWay(ask(null).stdout)).toMatchObject({ driver: null, isDriverBuiltIn: false });
  });

  it('is not known without a route, or a connection', () => {
    network('RTNETLINK answers: Network is unreachable', NEIGHBOUR);
    expect(ask(null)).toMatchObject({ status: 1, stderr: 'it knows no way to 10.0.0.2\n' });
    expect(ask(null, '')).toMatchObject({ status: 1, stderr: expect.stringContaining('sshd does not say') });
  });

  it.each([
    ['agent', '10.0.0.2;@/eth0,@10.9.9.9/', /is not the address of the agent: 10\.0\.0\.2;/],
    ['agent', 'fe80::1%eno1', /is not the address of the agent/],
    ['device', 'eno1/,9@10.9.9.9', /is not the name of a network interface/],
    ['device', '', /does not say the name of a network interface/],
    ['device', 'a'.repeat(16), /is not the name/],
    ['next-hop', '52:54:00:00:00:02 netconsole=x', /is not the hardware address/],
    ['next-hop', 'FAILED', /is not the hardware address/],
  ])('is refused with %s %j', (name, value, why) => {
    const lines = SAID.split('\n').map((line) => (line.startsWith(`${name}|`) ? `${name}|${value}` : line));
    expect(() => parseNetconsoleWay(lines.join('\n'))).toThrow(why);
  });

  it('is the first of what is said twice, and a driver that is no name is none', () => {
    expect(parseNetconsoleWay(`${SAID}agent|10.9.9.9\n`).agent).toBe('10.0.0.2');
    expect(parseNetconsoleWay(SAID.replace('mlx5_core', '$(reboot)')).driver).toBeNull();
  });
});

describe('what a kernel is told', () => {
  const from = { from: '10.0.0.1', port: 6666 };

  it('names the interface, or at boot its hardware address', () => {
    const way = parseNetconsoleWay(SAID);
    expect(netconsoleArgument(from, way, 'name')).toBe('netconsole=6665@10.0.0.1/eno1,6666@10.0.0.2/52:54:00:00:00:02');
    expect(netconsoleArgument(from, way, 'mac')).toBe(
      'netconsole=6665@10.0.0.1/52:54:00:00:00:01,6666@10.0.0.2/52:54:00:00:00:02',
    );
  });

  it('has two addresses of one kind', () => {
    const way = { ...parseNetconsoleWay(SAID), agent: 'fd00::2' };
    expect(() => netconsoleArgument(from, way, 'name')).toThrow(/sees the agent at fd00::2/);
    expect(netconsoleArgument({ from: 'fd00::1', port: 6666 }, way, 'name')).toContain(',6666@fd00::2/');
  });
});
