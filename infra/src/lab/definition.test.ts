import { describe, expect, test } from 'vitest';
import { MACHINES, type MachineDefinition, qemuArguments } from './definition.js';
import { machinePaths } from './paths.js';

function machine(name: string): MachineDefinition {
  const found = MACHINES.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no machine ${name}`);
  return found;
}

const paths = machinePaths('/state', 'v-switch', {}, 1000);

/** Values of a repeated option, in order. */
function valuesOf(args: string[], option: string): string[] {
  return args.flatMap((arg, index) => (arg === option ? [args[index + 1] ?? ''] : []));
}

describe('qemuArguments', () => {
  test('puts provider and client below two ports of one switch', () => {
    const devices = valuesOf(qemuArguments(machine('v-switch'), paths, 'tcg', 22101), '-device');
    expect(devices).toContain('x3130-upstream,id=up0,bus=rp0');
    expect(
      devices.filter((device) => device.startsWith('xio3130-downstream') && device.includes('bus=up0')),
    ).toHaveLength(2);
    expect(devices).toContain('ivshmem-plain,memdev=vram,bus=provider');
    expect(devices).toContain('edu,dma_mask=0xffffffffffffffff,bus=client');
  });

  test.each(['v-amd-roots', 'v-intel-roots'])('puts provider and client of %s on separate root ports', (name) => {
    const devices = valuesOf(qemuArguments(machine(name), paths, 'tcg', 22101), '-device');
    expect(devices.filter((device) => device.startsWith('pcie-root-port'))).toEqual([
      'pcie-root-port,id=provider,chassis=1,slot=1',
      'pcie-root-port,id=client,chassis=2,slot=2',
    ]);
    expect(devices.some((device) => device.includes('3130'))).toBe(false);
  });

  test('tells AMD from Intel, which decides about the host bridge', () => {
    expect(valuesOf(qemuArguments(machine('v-amd-roots'), paths, 'tcg', 1), '-cpu')).toEqual(['EPYC,-svm']);
    expect(valuesOf(qemuArguments(machine('v-intel-roots'), paths, 'tcg', 1), '-cpu')).toEqual(['Skylake-Client-v4']);
  });

  test('shares device memory with the host in exactly the file that the agent reads', () => {
    const [object] = valuesOf(qemuArguments(machine('v-switch'), paths, 'tcg', 1), '-object');
    expect(object).toBe('memory-backend-file,id=vram,share=on,size=256M,mem-path=/state/lab/v-switch/vram');
  });

  test('lets nothing out and only SSH in', () => {
    expect(valuesOf(qemuArguments(machine('v-switch'), paths, 'tcg', 22105), '-netdev')).toEqual([
      'user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:22105-:22',
    ]);
  });

  test('comes back after a reset: never ends by itself because of one', () => {
    const args = qemuArguments(machine('v-switch'), paths, 'tcg', 1);
    expect(args).not.toContain('-no-reboot');
    expect(valuesOf(args, '-action')).toEqual(['watchdog=reset']);
  });

  test('appends the console to one log and gives agent and lab a monitor each', () => {
    const args = qemuArguments(machine('v-switch'), paths, 'kvm', 1);
    expect(valuesOf(args, '-chardev')[0]).toContain('logfile=/state/lab/v-switch/console.log,logappend=on');
    expect(valuesOf(args, '-qmp')).toEqual([
      'unix:/state/lab/v-switch/power.sock,server=on,wait=off',
      'unix:/state/lab/v-switch/lab.sock,server=on,wait=off',
    ]);
    expect(valuesOf(args, '-accel')).toEqual(['kvm']);
  });

  test('doubles commas in file names, which would end an option', () => {
    const odd = machinePaths('/state,of mine', 'v-switch', {}, 1000);
    const args = qemuArguments(machine('v-switch'), odd, 'tcg', 1);
    expect(valuesOf(args, '-drive')[0]).toContain('file=/state,,of mine/lab/v-switch/disk.raw');
  });

  test('is the same for the same machine, and its identity differs between machines', () => {
    const uuid = (name: string): string | undefined =>
      valuesOf(qemuArguments(machine(name), paths, 'tcg', 1), '-uuid')[0];
    expect(uuid('v-switch')).toBe(uuid('v-switch'));
    expect(new Set(MACHINES.map(({ name }) => uuid(name))).size).toBe(MACHINES.length);
    expect(uuid('v-switch')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
