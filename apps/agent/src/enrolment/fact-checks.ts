import { type Inventory, type MachineCheck, pathEnds, peerPaths } from '@peerlab/contracts';
import { namesPlainRoot } from '../job/command-line.js';
import { whyNoPlainRoot } from '../job/stages/flash.js';
import { formatBytes } from '../timing.js';
import { check, listed } from './check.js';
import type { MachineFacts } from './facts.js';
import { NEEDED_TOOLS } from './facts-script.js';

const MIB = 1024 * 1024;
/** A kernel with its initramfs takes up to 300 MiB of /boot; modules of a distribution's configuration the same. */
const SPACE: readonly { place: string; failBelow: number; warnBelow: number }[] = [
  { place: '/boot', failBelow: 96 * MIB, warnBelow: 400 * MIB },
  { place: '/lib/modules', failBelow: 128 * MIB, warnBelow: 600 * MIB },
  { place: '/var/lib', failBelow: 128 * MIB, warnBelow: 1024 * MIB },
];
/** Lines of two logs are put side by side by their clocks. */
const CLOCK_WARN_SECONDS = 5;

export function account({ uid, user }: MachineFacts): MachineCheck {
  if (uid === 0) return check('account', 'pass', 'commands run as root');
  return check(
    'account',
    'fail',
    `commands run as ${user || 'an unknown user'}, who may not install kernels`,
    "set shell.sudo to true where this account may use sudo without a password, or shell.user to root, with the public key in root's authorized_keys (PermitRootLogin prohibit-password)",
  );
}

export function space({ space: rows }: MachineFacts): MachineCheck {
  if (rows.length === 0) return check('space', 'fail', 'df shows no file system', 'install coreutils');
  const free = (place: string): number | undefined =>
    rows
      .filter(({ mount }) => place === mount || mount === '/' || place.startsWith(`${mount}/`))
      .sort((a, b) => b.mount.length - a.mount.length)[0]?.freeBytes;
  const seen = SPACE.map((limit) => ({ ...limit, free: free(limit.place) ?? 0 }));
  const text = seen.map(({ place, free: bytes }) => `${formatBytes(bytes)} free in ${place}`).join(', ');
  const remedy =
    'remove old kernels, or give it more room; a kernel with its initramfs and modules takes up to 600 MiB';
  if (seen.some(({ free: bytes, failBelow }) => bytes < failBelow)) return check('space', 'fail', text, remedy);
  if (seen.some(({ free: bytes, warnBelow }) => bytes < warnBelow)) return check('space', 'warn', text, remedy);
  return check('space', 'pass', text);
}

export function mounts({ mounts: rows }: MachineFacts): MachineCheck {
  const readOnly = rows.filter(({ options }) => options.includes('ro')).map(({ place }) => place);
  if (readOnly.length > 0)
    return check(
      'mounts',
      'fail',
      `${readOnly.join(', ')} mounted read-only`,
      'mount read-write, in /etc/fstab as well',
    );
  if (rows.some(({ place, options }) => place === '/var/lib' && options.includes('noexec')))
    return check(
      'mounts',
      'fail',
      '/var/lib is mounted noexec, and tests run from there',
      'take noexec out of its options in /etc/fstab',
    );
  return check('mounts', 'pass', rows.map(({ place, type }) => `${place} on ${type || 'unknown'}`).join(', '));
}

export function tools({ missingTools }: MachineFacts): MachineCheck {
  if (missingTools.length === 0) return check('tools', 'pass', 'every program that a job starts is there');
  const packages = [...new Set(missingTools.map((tool) => NEEDED_TOOLS[tool] ?? tool))];
  return check('tools', 'fail', `${listed(missingTools)} missing`, `install ${packages.join(' ')}`);
}

/** What `initramfs:` of a config calls the tool that a machine has; null = none that the agent knows. */
export function initramfsDriver({ initramfsTools }: MachineFacts): string | null {
  const known = { 'update-initramfs': 'initramfs-tools', dracut: 'dracut', mkinitcpio: 'mkinitcpio' } as const;
  const tool = initramfsTools.find((name): name is keyof typeof known => Object.hasOwn(known, name));
  return tool === undefined ? null : known[tool];
}

/** Whether a kernel finds the root of the machine by itself. */
const hasPlainRoot = ({ root: { source } }: MachineFacts, commandLine: string): boolean =>
  namesPlainRoot(commandLine) || whyNoPlainRoot(source) === null;

export function root(facts: MachineFacts, commandLine: string, configured: string | null): MachineCheck {
  const { source, type } = facts.root;
  const where = `the root file system is ${type || 'of an unknown type'} on ${source || 'an unknown device'}`;
  const tool = initramfsDriver(facts);
  if (configured !== null) {
    if (configured === tool) return check('root', 'pass', `${where}; ${tool} makes the initramfs of candidates`);
    return check(
      'root',
      'fail',
      `${where}, and the config names ${configured} for its initramfs, which is not installed`,
      tool === null ? 'install it' : `write initramfs: {driver: ${tool}}, which is there`,
    );
  }
  if (hasPlainRoot(facts, commandLine))
    return check('root', 'pass', `${where}, which a kernel that has the drivers built in mounts without an initramfs`);
  return check(
    'root',
    'fail',
    `${where}, which a kernel finds only with an initramfs`,
    tool === null
      ? 'install initramfs-tools, dracut or mkinitcpio, and name it in initramfs: of the config'
      : `write initramfs: {driver: ${tool}} into the config of the machine`,
  );
}

export function upgrades({ upgraders }: MachineFacts): MachineCheck {
  const on = upgraders.filter(({ state }) => state === 'enabled').map(({ unit }) => unit);
  if (on.length === 0) return check('upgrades', 'pass', 'no service upgrades packages by itself');
  return check(
    'upgrades',
    'warn',
    `${on.join(', ')} may replace the default kernel while a job runs, which puts the machine into quarantine`,
    `systemctl disable --now ${on.join(' ')}, and upgrade by hand while the machine is in maintenance`,
  );
}

export function kdump({ isCrashKernelLoaded }: MachineFacts): MachineCheck {
  if (!isCrashKernelLoaded) return check('kdump', 'pass', 'no crash kernel is loaded: a panic reboots');
  return check(
    'kdump',
    'warn',
    'a crash kernel is loaded: on a panic of the default kernel the machine saves a dump before it reboots',
    'allow for the time of a dump in firmwareSeconds, or disable kdump',
  );
}

export function watchdogs({ watchdogs: rows, systemdWatchdog }: MachineFacts): MachineCheck {
  const active = rows.filter(({ state }) => state === 'active');
  if (systemdWatchdog !== null || active.length > 0) {
    const who = systemdWatchdog === null ? 'another program' : `systemd (every ${systemdWatchdog})`;
    return check(
      'watchdog',
      'warn',
      `${listed(active.map(({ name, identity }) => `${name} ${identity}`.trim())) || 'a watchdog'} is fed by ${who}: it may reset the machine while a kernel under test hangs`,
      'keep it if its time is longer than that of a boot; otherwise set RuntimeWatchdogSec=off in /etc/systemd/system.conf',
    );
  }
  if (rows.length === 0) return check('watchdog', 'pass', 'it has no watchdog; power resets a machine that hangs');
  return check(
    'watchdog',
    'pass',
    `not in use: ${listed(rows.map(({ name, identity }) => `${name} ${identity}`.trim()))}`,
  );
}

export function modules({ foreignModules, hasOfed }: MachineFacts, drivers: readonly string[]): MachineCheck {
  if (hasOfed) {
    return check(
      'drivers',
      'fail',
      'the RDMA drivers are those of OFED or DOCA (mlx_compat is loaded): they replace ib_core and mlx5, the code under test',
      'uninstall its kernel packages (keep rdma-core), and reboot',
    );
  }
  const outOfTree = foreignModules.map(({ name, taint }) => `${name} (${taint})`);
  if (outOfTree.length === 0) return check('drivers', 'pass', 'every loaded module is of the kernel itself');
  const loaded = `loaded from outside the kernel: ${listed(outOfTree)}`;
  if (drivers.length > 0)
    return check('drivers', 'pass', `${loaded}; kernels under test get ${listed(drivers)}, built with them`);
  return check(
    'drivers',
    'warn',
    `${loaded}; a kernel under test runs without them`,
    'where tests need them, put their source into kernel/drivers of the builder and name it in drivers: of the config',
  );
}

/** When the machine was asked for its facts and when it had answered, in seconds since 1970 by the agent's clock. */
export interface Asked {
  fromSeconds: number;
  toSeconds: number;
}

export function clock({ clock: seconds }: MachineFacts, { fromSeconds, toSeconds }: Asked): MachineCheck {
  if (seconds === null) return check('clock', 'warn', 'date printed no time', 'install coreutils');
  // It read its clock at some time between the question and the answer, which a slow machine takes long for.
  const off = Math.round(Math.min(0, seconds + 1 - fromSeconds) + Math.max(0, seconds - toSeconds));
  if (Math.abs(off) <= CLOCK_WARN_SECONDS) return check('clock', 'pass', 'its clock agrees with that of the agent');
  return check('clock', 'warn', `its clock differs from that of the agent by ${off} s`, 'run an NTP client on both');
}

export function devices(inventory: Inventory): MachineCheck[] {
  const { provider, client } = pathEnds(inventory);
  const names = (ends: (typeof provider)[number][]): string =>
    listed(ends.map(({ model, fn }) => `${model} at ${fn.address}`)) || 'none';
  const found = `providers: ${names(provider)}; clients: ${names(client)}`;
  const both = provider.length > 0 && client.length > 0;
  const iommu = { none: 'off', translated: 'on, translating', passthrough: 'on, passing addresses through' }[
    inventory.iommu
  ];
  const groups = new Set(inventory.functions.flatMap(({ iommuGroup }) => iommuGroup ?? []));
  const list = [
    both
      ? check('devices', 'pass', found)
      : check(
          'devices',
          'warn',
          found,
          'tests of a pair need both; load the drivers of the default kernel, or read what counts as one in apps/agent/README.md',
        ),
    check('iommu', 'pass', `the IOMMU is ${iommu}${groups.size === 0 ? '' : `, in groups: ${groups.size}`}`),
  ];
  if (!both) return list;
  const paths = peerPaths(inventory);
  const count = (kind: string): number => paths.filter((path) => path.kind === kind).length;
  const kinds = [...new Set(paths.map(({ kind }) => kind))].map((kind) => `${count(kind)} ${kind}`).join(', ');
  const none = paths.every(({ kind }) => kind === 'NOT_SUPPORTED');
  list.push(
    none
      ? check(
          'paths',
          'warn',
          `predicted: ${kinds}. ${paths[0]?.reason ?? ''}`,
          'peer-to-peer tests will be refused by the kernel: put both below one switch, or turn ACS redirection off',
        )
      : check('paths', 'pass', `predicted: ${kinds}`),
  );
  return list;
}
