import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bootChainScript, checkBootChain, describeNetwork, lackingFiles, parseBootChain } from './boot-chain.js';

const RELEASE = '7.3.4-peerlab-abababab';
const PCI = 'sys/devices/pci0000:00';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'boot-chain-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  chmodSync(join(root, path), mode);
}
function link(path: string, to: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  mkdirSync(join(root, to), { recursive: true });
  symlinkSync(join(root, to), join(root, path));
}
/** A device with a bound driver, whose module is called so. */
function driver(device: string, module: string, alias = ''): void {
  link(`${device}/driver`, `sys/bus/x/drivers/${module}-driver`);
  rmSync(join(root, `sys/bus/x/drivers/${module}-driver/module`), { force: true });
  link(`sys/bus/x/drivers/${module}-driver/module`, `sys/module/${module}`);
  if (alias !== '') put(`${device}/modalias`, `${alias}\n`);
}
/** What `modprobe --show-depends` answers: for the default kernel, and for the candidate. */
function modules(ofDefault: string[], ofCandidate: Record<string, string[]>): void {
  const cases = (answers: Record<string, string[]>): string =>
    Object.entries(answers)
      .map(([name, lines]) => `${name}) printf '%s\\n' ${lines.map((line) => `'${line}'`).join(' ')} ;;`)
      .join('\n');
  put(
    'bin/modprobe',
    `#!/bin/sh
case $2 in
${RELEASE}) case $5 in
${cases(ofCandidate)}
*) exit 1 ;;
esac ;;
*) case $5 in ${['none', ...ofDefault].join(' | ')}) exit 0 ;; *) exit 1 ;; esac ;;
esac
`,
    0o755,
  );
}
const insmod = (...names: string[]): string[] =>
  names.map((name) => `insmod /lib/modules/${RELEASE}/kernel/${name}.ko `);

function rootIs(source: string, fileSystem: string): void {
  // Of the computer that runs the tests; it may have no /dev/mapper, and then readlink says nothing.
  put('bin/readlink', '#!/bin/sh\nfor last; do :; done\necho "$last"\n', 0o755);
  put('bin/findmnt', `#!/bin/sh\ncase $2 in SOURCE) echo ${source} ;; FSTYPE) echo ${fileSystem} ;; esac\n`, 0o755);
}

/** @param connection what SSH tells the shell: the agent's address and port, the machine's own and port */
function chain(shell: string, connection = ''): ReturnType<typeof parseBootChain> {
  // Without SHLVL bash takes itself for the shell of a remote login, and reads .bashrc.
  const env = { SHLVL: '1', SSH_CONNECTION: connection, PATH: `${join(root, 'bin')}:${process.env['PATH'] ?? ''}` };
  const ran = spawnSync(shell, ['-c', bootChainScript(RELEASE, root)], { encoding: 'utf8', env });
  expect(ran.stderr).toBe('');
  expect(ran.status).toBe(0);
  return parseBootChain(ran.stdout);
}

describe.each(['/bin/sh', '/bin/bash'])('the way to the root file system, in %s', (shell) => {
  it('goes over LVM and NVMe to the PCI function; a port that is never a module is left out', () => {
    rootIs('/dev/mapper/server-root', 'ext4');
    const dm = 'sys/devices/virtual/block/server-root';
    put(`${dm}/dm/uuid`, 'LVM-abc\n');
    put(`${dm}/dm/name`, 'server-root\n');
    put('bin/dmsetup', '#!/bin/sh\necho "0 100 linear 259:3 2048"\necho "100 9 crypt x"\n', 0o755);
    link('sys/class/block/server-root', dm);
    const disk = `${PCI}/0000:00:1c.0/0000:03:00.0/nvme/nvme0/nvme0n1`;
    put(`${disk}/nvme0n1p3/partition`, '3\n');
    link(`${dm}/slaves/nvme0n1p3`, `${disk}/nvme0n1p3`);
    link('sys/class/block/nvme0n1p3', `${disk}/nvme0n1p3`);
    link('sys/class/block/nvme0n1', disk);
    driver(`${PCI}/0000:00:1c.0`, 'pcieportdrv', 'pci:port');
    driver(`${PCI}/0000:00:1c.0/0000:03:00.0`, 'nvme', 'pci:nvme');
    modules(['nvme'], {
      ext4: insmod('fs/mbcache', 'fs/jbd2', 'fs/ext4'),
      dm_mod: insmod('drivers/md/dm-mod'),
      'dm-crypt': ['builtin dm_crypt'],
      nvme: insmod('drivers/nvme/host/nvme-core', 'drivers/nvme/host/nvme'),
    });
    expect(chain(shell)).toEqual({
      root: '/dev/mapper/server-root (ext4)',
      modules: ['ext4', 'dm_mod', 'nvme'],
      builtin: ['dm_crypt'],
      missing: [],
      tools: ['lvm'],
      network: null,
    });
  });

  it('names what the kernel lacks, and knows a driver that was renamed by its device', () => {
    rootIs('/dev/md0', 'xfs');
    const md = 'sys/devices/virtual/block/md0';
    put(`${md}/md/level`, 'raid1\n');
    link('sys/class/block/md0', md);
    for (const [name, function_] of [
      ['sda', '0000:00:05.0'],
      ['sdb', '0000:00:06.0'],
    ] as const) {
      const disk = `${PCI}/${function_}/host0/target0:0:0/0:0:0:0/block/${name}`;
      mkdirSync(join(root, disk), { recursive: true });
      link(`${md}/slaves/${name}`, disk);
      link(`sys/class/block/${name}`, disk);
      driver(`${PCI}/${function_}/host0/target0:0:0/0:0:0:0`, 'sd_mod', 'scsi:t-0x00');
      driver(`${PCI}/${function_}`, name === 'sda' ? 'old_sas' : 'megaraid_sas', `pci:${name}`);
    }
    modules(['sd_mod', 'old_sas', 'megaraid_sas'], {
      'fs-xfs': ['builtin xfs'],
      md_mod: ['builtin md_mod'],
      'md-raid1': insmod('drivers/md/raid1'),
      sd_mod: ['builtin sd_mod'],
      'pci:sda': insmod('drivers/scsi/new_sas'),
    });
    const found = chain(shell);
    expect(found.missing).toEqual(['megaraid_sas, for 0000:00:06.0']);
    expect(found.modules).toEqual(['raid1', 'new_sas']);
    expect(found.builtin).toEqual(['xfs', 'md_mod', 'sd_mod']);
    expect(found.tools).toEqual(['mdadm']);
  });

  it('takes all disks of btrfs, and the controllers behind a namespace with several paths', () => {
    rootIs('/dev/nvme0n1', 'btrfs');
    const subsystem = 'sys/devices/virtual/nvme-subsystem/nvme-subsys0';
    mkdirSync(join(root, subsystem, 'nvme0n1'), { recursive: true });
    link('sys/class/block/nvme0n1', `${subsystem}/nvme0n1`);
    link(`${subsystem}/nvme0`, `${PCI}/0000:00:03.0/nvme/nvme0`);
    driver(`${PCI}/0000:00:03.0`, 'nvme');
    link('sys/class/block/vda', `${PCI}/0000:00:04.0/virtio0/block/vda`);
    driver(`${PCI}/0000:00:04.0/virtio0`, 'virtio_blk');
    for (const name of ['nvme0n1', 'vda']) link(`sys/fs/btrfs/uuid/devices/${name}`, `sys/class/block/${name}/x`);
    modules(['nvme', 'virtio_blk'], {
      btrfs: ['builtin btrfs'],
      nvme: ['builtin nvme'],
      virtio_blk: insmod('virtio_blk'),
    });
    expect(chain(shell)).toMatchObject({ modules: ['virtio_blk'], builtin: ['btrfs', 'nvme'], missing: [] });
  });
});

/** What `ip` answers: which device has an address of the machine, and over which one the way to another address goes. */
function addresses(own: Record<string, string>, ways: Record<string, string> = {}): void {
  const cases = (rows: string[][], line: (row: string[]) => string): string =>
    rows.map((row) => `${row[0] ?? ''}) echo "${line(row)}" ;;`).join('\n');
  put(
    'bin/ip',
    `#!/bin/sh
case "$2 $3" in
"addr show") case $5 in
${cases(Object.entries(own), ([address, device]) => `2: ${device}    inet ${address}/24 brd 10.0.2.255 scope global`)}
esac ;;
"route get") case $4 in
${cases(Object.entries(ways), ([address, device]) => `${address} via 10.0.9.1 dev ${device} src 10.0.2.15 uid 0`)}
*) exit 2 ;;
esac ;;
esac
`,
    0o755,
  );
}
/** A card: the PCI function that it is, or a device below one. */
function card(name: string, device: string): void {
  link(`sys/class/net/${name}/device`, device);
}
function virtual(name: string, kind: string, ...lower: string[]): void {
  put(`sys/class/net/${name}/uevent`, `${kind === '' ? '' : `DEVTYPE=${kind}\n`}INTERFACE=${name}\nIFINDEX=7\n`);
  for (const each of lower) link(`sys/class/net/${name}/lower_${each}`, `sys/class/net/${each}`);
}

describe.each(['/bin/sh', '/bin/bash'])('the way of the agent’s connection, in %s', (shell) => {
  beforeEach(() => rootIs('/dev/vda1', 'ext4'));
  const builtIn = { 'fs-ext4': ['builtin ext4'] };

  it('goes from the address that the agent reached down to the PCI function', () => {
    addresses({ '10.0.2.15': 'enp0s2' });
    card('enp0s2', `${PCI}/0000:00:1c.0/0000:02:00.0`);
    driver(`${PCI}/0000:00:1c.0`, 'pcieportdrv', 'pci:port');
    driver(`${PCI}/0000:00:1c.0/0000:02:00.0`, 'e1000e', 'pci:card');
    modules(['e1000e'], builtIn);
    const without = chain(shell, '10.0.2.2 41234 10.0.2.15 22');
    expect(without.network).toEqual({ devices: 'enp0s2', drivers: [], missing: ['e1000e, for 0000:02:00.0'] });
    // It is no part of the way to the root.
    expect(without).toMatchObject({ missing: [], builtin: ['ext4'] });
    modules(['e1000e'], { ...builtIn, e1000e: insmod('drivers/net/e1000e') });
    const asModule = chain(shell, '10.0.2.2 41234 10.0.2.15 22');
    expect(asModule.network).toEqual({ devices: 'enp0s2', drivers: ['e1000e'], missing: [] });
    // No initramfs has to bring it.
    expect(asModule.modules).toEqual([]);
    modules(['e1000e'], { ...builtIn, e1000e: ['builtin e1000e'] });
    expect(chain(shell, '10.0.2.2 41234 10.0.2.15 22').network?.drivers).toEqual(['e1000e']);
  });

  it('goes through a VLAN, a bridge and a bond to each card, and needs the drivers of all', () => {
    addresses({ '10.0.2.15': 'bond0.5' });
    virtual('bond0.5', 'vlan', 'br0');
    virtual('br0', 'bridge', 'bond0', 'tap0');
    virtual('bond0', 'bond', 'eth0', 'eth1');
    virtual('tap0', '');
    card('eth0', `${PCI}/0000:00:02.0/virtio0`);
    card('eth1', `${PCI}/0000:00:03.0`);
    driver(`${PCI}/0000:00:02.0/virtio0`, 'virtio_net', 'virtio:net');
    driver(`${PCI}/0000:00:02.0`, 'virtio_pci');
    driver(`${PCI}/0000:00:03.0`, 'igb', 'pci:igb');
    modules(['8021q', 'bridge', 'bonding', 'virtio_net', 'virtio_pci', 'igb'], {
      ...builtIn,
      bridge: ['builtin bridge'],
      'rtnl-link-vlan': ['builtin 8021q'],
      'pci:igb': insmod('drivers/net/new_igb'),
      virtio_net: ['builtin virtio_net'],
    });
    expect(chain(shell, '10.0.2.2 41234 10.0.2.15 22').network).toEqual({
      devices: 'bond0.5 (br0 bond0 eth0 eth1 tap0)',
      drivers: ['8021q', 'bridge', 'virtio_net', 'new_igb'],
      missing: ['bonding, for bond0', 'virtio_pci, for 0000:00:02.0'],
    });
  });

  it('is the way back where the address is none of a card, and asks for an address without its zone', () => {
    addresses({ '192.0.2.7': 'lo', 'fe80::2': 'eth1' }, { '10.0.9.2': 'eth0' });
    card('eth0', `${PCI}/0000:00:02.0`);
    card('eth1', `${PCI}/0000:00:03.0`);
    driver(`${PCI}/0000:00:02.0`, 'e1000e');
    driver(`${PCI}/0000:00:03.0`, 'igb');
    modules(['e1000e', 'igb'], builtIn);
    const missing = (connection: string): string[] | undefined => chain(shell, connection).network?.missing;
    expect(missing('10.0.9.2 41234 192.0.2.7 22')).toEqual(['e1000e, for 0000:00:02.0']);
    expect(missing('fe80::1%eth1 41234 fe80::2%eth1 22')).toEqual(['igb, for 0000:00:03.0']);
    expect(missing('10.0.9.3 41234 192.0.2.7 22')).toBeUndefined();
    expect(describeNetwork(chain(shell))).toMatch(/^which network device carries the connection is not known/);
  });

  it('ends where devices lie below each other', () => {
    addresses({ '10.0.2.15': 'a' });
    virtual('a', '', 'b');
    virtual('b', '', 'a');
    modules([], builtIn);
    expect(chain(shell, '10.0.2.2 41234 10.0.2.15 22').network).toEqual({ devices: 'a (b)', drivers: [], missing: [] });
  });
});

it('a kernel without a driver on either way is refused, with what to build', () => {
  const has = { root: '/dev/vda1 (ext4)', modules: [], builtin: [], missing: [], tools: [] };
  const network = { devices: 'eth0', drivers: ['igb'], missing: [] as string[] };
  expect(() => checkBootChain({ ...has, network }, RELEASE, 's1')).not.toThrow();
  expect(() => checkBootChain({ ...has, network: null }, RELEASE, 's1')).not.toThrow();
  const lacking = { ...network, missing: ['e1000e, for 0000:00:02.0'] };
  expect(() => checkBootChain({ ...has, network: lacking }, RELEASE, 's1')).toThrow(
    `${RELEASE} would not be reached on s1, whose connection to the agent goes over eth0: it has not e1000e, for 0000:00:02.0; ` +
      'build it with a configuration that has these as modules or built in, such as one that "peerlab machine configure s1" makes',
  );
  expect(() => checkBootChain({ ...has, missing: ['nvme, for 0000:00:03.0'], network }, RELEASE, 's1')).toThrow(
    /cannot mount the root of s1, \/dev\/vda1 \(ext4\): it has not nvme, for 0000:00:03\.0; build it/,
  );
});

it('knows what an initramfs lacks, whatever packs its modules', () => {
  const found = { modules: ['nvme_core', 'dm_mod', 'ext4'], tools: ['lvm'] };
  const files = ['usr/lib/modules/x/kernel/nvme-core.ko.zst', 'lib/modules/x/dm-mod.ko', 'usr/sbin/lvm'];
  expect(lackingFiles(found, files)).toEqual(['the module ext4']);
  expect(lackingFiles(found, [])).toHaveLength(4);
});
