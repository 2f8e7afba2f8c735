import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { agentMachines } from './agent-machines.js';
import { deviceMemoryFiles, type MachineDefinition, qemuArguments } from './definition.js';
import { chooseMachines, MACHINES } from './machines.js';
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

  const devicesOf = (name: string): string[] => valuesOf(qemuArguments(machine(name), paths, 'tcg', 1), '-device');

  test('puts both peers behind one bridge, and on the root bus', () => {
    expect(devicesOf('v-bridge')).toEqual(
      expect.arrayContaining(['pcie-pci-bridge,id=pb0', 'ivshmem-plain,memdev=vram,bus=pb0,addr=1']),
    );
    expect(devicesOf('v-bridge')).toContain('edu,dma_mask=0xffffffffffffffff,bus=pb0,addr=2');
    expect(devicesOf('v-bus0')).toContain('ivshmem-plain,memdev=vram,bus=pcie.0,addr=0x10');
  });

  test.each(['v-two-providers', 'v-mixed'])('gives each provider of %s memory of its own', (name) => {
    const objects = valuesOf(qemuArguments(machine(name), paths, 'tcg', 1), '-object');
    expect(objects.map((object) => /id=(\w+),.*mem-path=(.*)/.exec(object)?.slice(1))).toEqual([
      ['vram', '/state/lab/v-switch/vram'],
      ['vram1', '/state/lab/v-switch/vram1'],
    ]);
    expect(deviceMemoryFiles(machine(name), paths)).toEqual(['/state/lab/v-switch/vram', '/state/lab/v-switch/vram1']);
    // The kernel numbers providers in the order in which it meets them: the client's neighbour comes first.
    expect(devicesOf(name).filter((device) => device.startsWith('ivshmem'))).toEqual([
      'ivshmem-plain,memdev=vram,bus=provider',
      'ivshmem-plain,memdev=vram1,bus=provider1',
    ]);
  });

  test('puts the IOMMU before every other device, and only where the machine has one', () => {
    for (const { name, iommu } of MACHINES) {
      const devices = devicesOf(name);
      expect(devices.filter((device) => device.startsWith('intel-iommu'))).toHaveLength(iommu === 'none' ? 0 : 1);
      if (iommu !== 'none') expect(devices[0]).toBe('intel-iommu,intremap=off');
    }
  });

  test('agrees with itself: labels and kernel arguments say what the IOMMU does', () => {
    const ofImage = readFileSync(join(import.meta.dirname, '../../rootfs/servers/customize.sh'), 'utf8');
    for (const { iommu, kernelArguments, labels, server } of MACHINES) {
      expect(labels['iommu']).toBe(iommu);
      // To a server without an IOMMU the words of its image say nothing.
      if (server !== undefined && iommu === 'none') continue;
      const words = server === undefined ? kernelArguments : ofImage.split(/[\s"]+/);
      expect(words.includes('intel_iommu=on')).toBe(iommu !== 'none');
      expect(words.includes('iommu=pt')).toBe(iommu === 'passthrough');
    }
    // QEMU moves wrong data there: nothing but the control may count on it.
    const corrupting = MACHINES.filter((m) => m.topology.startsWith('switch') && m.iommu === 'translated');
    expect(corrupting.map((m) => m.labels['set'])).toEqual(['negative-control']);
    expect(MACHINES.filter((m) => m.labels['set'] === 'negative-control')).toEqual(corrupting);
  });

  test('has a BAR that fits nowhere below 4 GiB', () => {
    const [object] = valuesOf(qemuArguments(machine('v-high-bar'), paths, 'tcg', 1), '-object');
    expect(object).toContain('size=8192M');
  });

  test('counts instructions where the clock is to, whatever the host could do', () => {
    for (const { name, clock, labels } of MACHINES) {
      expect(labels['clock']).toBe(clock);
      const args = qemuArguments(machine(name), paths, 'kvm', 1);
      expect(valuesOf(args, '-icount')).toEqual(clock === 'instructions' ? ['shift=0,sleep=on'] : []);
      expect(valuesOf(args, '-accel')[0]?.startsWith('tcg')).toBe(clock === 'instructions');
      // Else its results would stand in the grid's column of the machine that it is like.
      expect(valuesOf(args, '-smbios')).toHaveLength(clock === 'instructions' ? 1 : 0);
    }
  });

  test('chooses machines by name, by default, or all', () => {
    expect(chooseMachines([])).toEqual(MACHINES.slice(0, 3));
    expect(chooseMachines(['all'])).toEqual(MACHINES.filter(({ server }) => server === undefined));
    expect(chooseMachines(['all', 's-uefi'])).toEqual(
      MACHINES.filter(({ server, name }) => server === undefined || name === 's-uefi'),
    );
    expect(chooseMachines(['v-bridge', 'v-brigde'])).toEqual({ unknown: 'v-brigde' });
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
    expect(valuesOf(args, '-drive')[0]).toContain('file=/state,,of mine/lab/v-switch/overlay.qcow2');
  });

  test('is the same for the same machine, and its identity differs between machines', () => {
    const uuid = (name: string): string | undefined =>
      valuesOf(qemuArguments(machine(name), paths, 'tcg', 1), '-uuid')[0];
    expect(uuid('v-switch')).toBe(uuid('v-switch'));
    expect(new Set(MACHINES.map(({ name }) => uuid(name))).size).toBe(MACHINES.length);
    expect(uuid('v-switch')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

describe('a server', () => {
  const ports = { ipmi: 22_201, bmc: 22_202, console: 22_203 };
  const args = qemuArguments(machine('s-uefi'), machinePaths('/state', 's-uefi', {}, 1000), 'tcg', 22_119, ports);

  test('has UEFI with a memory of its own, NVMe, a network card whose name follows from its slot, and a BMC', () => {
    expect(
      valuesOf(args, '-drive')
        .slice(0, 3)
        .map((drive) => drive.replace(/.*file=/, '')),
    ).toEqual([
      '/state/lab/s-uefi/overlay.qcow2',
      '/usr/share/OVMF/OVMF_CODE_4M.fd',
      '/state/lab/s-uefi/firmware.vars',
    ]);
    const devices = valuesOf(args, '-device');
    expect(devices).toEqual(
      expect.arrayContaining([
        'nvme,drive=disk,serial=s-uefi,bootindex=0',
        'e1000e,netdev=net,romfile=',
        'ipmi-bmc-extern,id=bmc0,chardev=ipmi',
        'isa-ipmi-kcs,bmc=bmc0',
      ]),
    );
    expect(devices.filter((device) => device.startsWith('virtio'))).toEqual(['virtio-rng-pci']);
  });

  test('has a host bridge for each of two sockets, and a provider and a client below a switch of each', () => {
    const two = machine('s-two-sockets');
    const devices = valuesOf(
      qemuArguments(two, machinePaths('/state', two.name, {}, 1000), 'tcg', 1, ports),
      '-device',
    );
    const below = (kind: string): string[] => devices.filter((device) => device.startsWith(kind));
    expect(below('pxb-pcie')).toEqual([
      'pxb-pcie,id=socket0,bus_nr=64,bus=pcie.0',
      'pxb-pcie,id=socket1,bus_nr=128,bus=pcie.0',
    ]);
    expect(below('pcie-root-port').map((device) => /bus=(\w+)/.exec(device)?.[1])).toEqual(['socket0', 'socket1']);
    expect(below('ivshmem').map((device) => /bus=(\w+)/.exec(device)?.[1])).toEqual(['provider0', 'provider1']);
    expect(below('edu').map((device) => /bus=(\w+)/.exec(device)?.[1])).toEqual(['client0', 'client1']);
    // Each port of a machine has a number of its own.
    const chassis = devices.flatMap((device) => /chassis=(\d+),slot=(\d+)/.exec(device)?.slice(1).join('/') ?? []);
    expect(new Set(chassis).size).toBe(chassis.length);
  });

  test('has Secure Boot in system management mode, where only the firmware writes to its memory', () => {
    const secure = machine('s-secure');
    const own = qemuArguments(secure, machinePaths('/state', secure.name, {}, 1000), 'tcg', 1, ports);
    expect(valuesOf(own, '-machine')).toEqual(['q35,vmport=off,smm=on']);
    expect(valuesOf(own, '-global')[0]).toBe('driver=cfi.pflash01,property=secure,value=on');
    expect(valuesOf(own, '-drive')[1]).toMatch(/readonly=on,file=\/usr\/share\/OVMF\/OVMF_CODE_4M\.secboot\.fd$/);
    expect(valuesOf(args, '-machine')).toEqual(['q35,vmport=off']);
    expect(valuesOf(args, '-global')).toEqual([]);
  });

  test('brings its console to its BMC, and keeps a log of it for the lab', () => {
    const [console, ipmi] = valuesOf(args, '-chardev');
    expect(console).toBe(
      'socket,id=console,reconnect=1,path=/state/lab/s-uefi/serial.sock,logfile=/state/lab/s-uefi/console.log,logappend=on',
    );
    expect(ipmi).toBe('socket,id=ipmi,host=127.0.0.1,port=22202,reconnect=1');
  });

  test('names the boot loader and the initramfs tool of its image to the agent', () => {
    const driversOf = (name: string) => {
      const at = { definition: machine(name), paths: machinePaths('/state', name, {}, 1000), sshPort: 22_119 };
      return agentMachines([{ ...at, privateKeyFile: '/key', hostKey: 'x', bmc: { port: 1, passwordFile: '/p' } }])
        .machines[0];
    };
    const debian = { boot: { driver: 'grub' }, initramfs: { driver: 'initramfs-tools' } };
    expect(driversOf('s-uefi')).toMatchObject(debian);
    expect(driversOf('s-two-sockets')).toMatchObject(debian);
    expect(driversOf('s-dracut')).toMatchObject({ boot: { driver: 'systemd-boot' }, initramfs: { driver: 'dracut' } });
  });

  test('is described to the agent by its BMC, without a disk that could be thrown away', () => {
    const described = agentMachines([
      {
        definition: machine('s-uefi'),
        paths: machinePaths('/state', 's-uefi', {}, 1000),
        sshPort: 22_119,
        privateKeyFile: '/key',
        hostKey: 'ssh-ed25519 AAAA',
        bmc: { port: 22_201, passwordFile: '/state/lab/s-uefi/bmc/password' },
      },
    ]);
    expect(described.bmcs).toEqual({
      's-uefi': {
        protocol: 'ipmi',
        host: '127.0.0.1',
        port: 22_201,
        passwordFile: '/state/lab/s-uefi/bmc/password',
        user: 'lab',
      },
    });
    expect(described.machines[0]).toMatchObject({
      power: { driver: 'ipmi', bmc: 's-uefi' },
      console: { driver: 'sol', bmc: 's-uefi' },
      initramfs: { driver: 'initramfs-tools' },
    });
    expect(described.machines[0]).not.toHaveProperty('disk');
  });
});

describe('a pair of machines', () => {
  const pairOf = (name: string) => {
    const own = machinePaths('/state', name, {}, 1000);
    const args = qemuArguments(machine(name), own, 'tcg', 1);
    const netdev = valuesOf(args, '-netdev').find((each) => each.startsWith('dgram')) ?? '';
    return {
      local: /local\.path=([^,]+)/.exec(netdev)?.[1],
      remote: /remote\.path=([^,]+)/.exec(netdev)?.[1],
      mac: valuesOf(args, '-device').flatMap((device) => /netdev=pair,.*mac=(.*)/.exec(device)?.[1] ?? []),
      others: valuesOf(args, '-netdev').filter((each) => !each.startsWith('dgram')),
    };
  };

  test('sends what one says to the other, and to nothing else', () => {
    const [a, b] = ['v-pair-a', 'v-pair-b'].map(pairOf);
    expect(a).toMatchObject({ local: '/state/lab/v-pair-a/pair.sock', remote: '/state/lab/v-pair-b/pair.sock' });
    expect([b?.local, b?.remote]).toEqual([a?.remote, a?.local]);
    expect([a?.mac, b?.mac]).toEqual([['52:54:00:70:00:01'], ['52:54:00:70:00:02']]);
    for (const { others } of [a, b].flatMap((each) => each ?? [])) {
      expect(others).toHaveLength(1);
      expect(others[0]).toContain('restrict=on');
    }
  });

  test('is named by both of its machines, and no other machine has such a network', () => {
    for (const { name, pair } of MACHINES) {
      if (pair === undefined) expect(pairOf(name).local).toBeUndefined();
      else expect(machine(pair.with).pair?.with).toBe(name);
    }
  });
});
