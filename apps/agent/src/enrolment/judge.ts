import {
  cleanText,
  type Inventory,
  MACHINE_CHECK_TEXT_MAX,
  type MachineCheck,
  pathEnds,
  peerPaths,
} from '@peerlab/contracts';
import { namesPlainRoot } from '../job/command-line.js';
import { whyNoPlainRoot } from '../job/stages/flash.js';
import { whyOtherMachine } from '../job/stages/prepare.js';
import { type BootPolicy, judgeBootPolicy } from '../job/boot-policy.js';
import type { Machine } from '../machine/protocols.js';
import { formatBytes } from '../timing.js';
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
/** Things that one detail names. */
const NAMED = 6;

/** One check, its texts cut to what is kept. */
export function check(
  name: string,
  verdict: MachineCheck['verdict'],
  detail: string,
  remedy: string | null = null,
): MachineCheck {
  const text = (value: string): string => cleanText(value, MACHINE_CHECK_TEXT_MAX);
  return { name, verdict, detail: text(detail), remedy: remedy === null ? null : text(remedy) };
}

/** `a; b` = what is wrong and the remedy, as messages of jobs have it. */
function refusal(name: string, verdict: MachineCheck['verdict'], advice: string): MachineCheck {
  const at = advice.indexOf('; ');
  return at === -1 ? check(name, verdict, advice) : check(name, verdict, advice.slice(0, at), advice.slice(at + 2));
}

const listed = (items: readonly string[]): string =>
  `${items.slice(0, NAMED).join(', ')}${items.length > NAMED ? ` and ${items.length - NAMED} more` : ''}`;

function account({ uid, user }: MachineFacts): MachineCheck {
  if (uid === 0) return check('account', 'pass', 'the key logs in as root');
  return check(
    'account',
    'fail',
    `the key logs in as ${user || 'an unknown user'}, who may not install kernels`,
    "set shell.user to root, and put the public key into root's authorized_keys (PermitRootLogin prohibit-password)",
  );
}

function space({ space: rows }: MachineFacts): MachineCheck {
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

function mounts({ mounts: rows }: MachineFacts): MachineCheck {
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

function tools({ missingTools }: MachineFacts): MachineCheck {
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

function root(facts: MachineFacts, commandLine: string, configured: string | null): MachineCheck {
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

function upgrades({ upgraders }: MachineFacts): MachineCheck {
  const on = upgraders.filter(({ state }) => state === 'enabled').map(({ unit }) => unit);
  if (on.length === 0) return check('upgrades', 'pass', 'no service upgrades packages by itself');
  return check(
    'upgrades',
    'warn',
    `${on.join(', ')} may replace the default kernel while a job runs, which puts the machine into quarantine`,
    `systemctl disable --now ${on.join(' ')}, and upgrade by hand while the machine is in maintenance`,
  );
}

function kdump({ isCrashKernelLoaded }: MachineFacts): MachineCheck {
  if (!isCrashKernelLoaded) return check('kdump', 'pass', 'no crash kernel is loaded: a panic reboots');
  return check(
    'kdump',
    'warn',
    'a crash kernel is loaded: on a panic of the default kernel the machine saves a dump before it reboots',
    'allow for the time of a dump in firmwareSeconds, or disable kdump',
  );
}

function watchdogs({ watchdogs: rows, systemdWatchdog }: MachineFacts): MachineCheck {
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

function modules({ foreignModules, hasOfed }: MachineFacts, drivers: readonly string[]): MachineCheck {
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

function clock({ clock: seconds }: MachineFacts, { fromSeconds, toSeconds }: LookedAt['asked']): MachineCheck {
  if (seconds === null) return check('clock', 'warn', 'date printed no time', 'install coreutils');
  // It read its clock at some time between the question and the answer, which a slow machine takes long for.
  const off = Math.round(Math.min(0, seconds + 1 - fromSeconds) + Math.max(0, seconds - toSeconds));
  if (Math.abs(off) <= CLOCK_WARN_SECONDS) return check('clock', 'pass', 'its clock agrees with that of the agent');
  return check('clock', 'warn', `its clock differs from that of the agent by ${off} s`, 'run an NTP client on both');
}

function devices(inventory: Inventory): MachineCheck[] {
  const { provider, client } = pathEnds(inventory);
  const names = (ends: (typeof provider)[number][]): string =>
    listed(ends.map(({ model, fn }) => `${model} at ${fn.address}`)) || 'none';
  const found = `providers: ${names(provider)}; clients: ${names(client)}`;
  const both = provider.length > 0 && client.length > 0;
  const iommu = { none: 'off', translated: 'on, translating', passthrough: 'on, passing addresses through' }[
    inventory.iommu
  ];
  const list = [
    both
      ? check('devices', 'pass', found)
      : check(
          'devices',
          'warn',
          found,
          'tests of a pair need both; load the drivers of the default kernel, or read what counts as one in apps/agent/README.md',
        ),
    check('iommu', 'pass', `the IOMMU is ${iommu}`),
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

export interface LookedAt {
  facts: MachineFacts;
  inventory: Inventory;
  bootPolicy: BootPolicy;
  /** Why one-shot boot is not safe, with the remedy; null when it is. `not-asked` = asking writes to the machine. */
  loaderProblem: string | null;
  machine: Pick<Machine, 'name' | 'kernelArguments' | 'signer' | 'drivers'> & {
    initramfs: { tool: string } | null;
    boot: Pick<Machine['boot'], 'loader' | 'trusts'>;
  };
  /** null = none is configured. `problem` null = it is recorded; `not-looked-at` = the running agent has it. */
  console: { problem: string | null } | 'not-looked-at' | null;
  /** What the power driver said; null = none is configured. */
  power: { state: string } | { problem: string } | null;
  /** When the machine was asked for its facts and when it had answered, in seconds since 1970 by the agent's clock. */
  asked: { fromSeconds: number; toSeconds: number };
}

function consoleCheck({ console }: LookedAt): MachineCheck {
  if (console === null) {
    return check(
      'console',
      'warn',
      'none is configured: crashes have no text, and a kernel that does not come up cannot be told from one that was not loaded',
      'configure console: for it (sol, tcp, command or file)',
    );
  }
  if (console === 'not-looked-at')
    return check(
      'console',
      'pass',
      'one is configured; the running agent records it, and says on the page of the machine when it cannot',
    );
  if (console.problem !== null)
    return check(
      'console',
      'fail',
      `it is not recorded: ${console.problem}`,
      'end other sessions on it, or correct console:',
    );
  return check('console', 'pass', 'it is recorded');
}

function powerCheck({ power }: LookedAt): MachineCheck {
  if (power === null)
    return check(
      'power',
      'warn',
      'none is configured: a machine that hangs waits for a person',
      'configure power: for it (ipmi, redfish or command)',
    );
  if ('problem' in power) return refusal('power', 'fail', power.problem);
  if (power.state === 'on') return check('power', 'pass', 'its power driver sees it switched on');
  return check(
    'power',
    'fail',
    `its power driver says "${power.state}" of a machine that answers`,
    'correct power: in the config, it may speak to another machine',
  );
}

function loaderChecks({ machine, loaderProblem }: LookedAt): MachineCheck[] {
  if (loaderProblem === 'not-asked') return [];
  if (loaderProblem !== null) return [refusal('boot-loader', 'fail', loaderProblem)];
  return [check('boot-loader', 'pass', `${machine.boot.loader} can boot another kernel once`)];
}

function secureBoot({ bootPolicy, machine, inventory }: LookedAt): MachineCheck {
  const permission = judgeBootPolicy(bootPolicy, machine, inventory.kernel.commandLine);
  switch (permission.kind) {
    case 'refused':
      return check('secure-boot', 'fail', permission.why, permission.remedy);
    case 'signed':
      return check('secure-boot', 'pass', `${permission.why}; kernels under test are signed with it`);
    case 'unsigned':
      return permission.isSure
        ? check('secure-boot', 'pass', permission.why)
        : check('secure-boot', 'warn', permission.why, 'mount efivarfs at /sys/firmware/efi/efivars');
  }
}

/** Every check that changes nothing, in the order in which a person would mend them. */
export function judge(seen: LookedAt): MachineCheck[] {
  const { facts, inventory, machine } = seen;
  const lacking = whyOtherMachine(machine, inventory.kernel.commandLine);
  return [
    account(facts),
    tools(facts),
    space(facts),
    mounts(facts),
    secureBoot(seen),
    ...loaderChecks(seen),
    root(facts, inventory.kernel.commandLine, machine.initramfs?.tool ?? null),
    lacking === null
      ? check('kernel-arguments', 'pass', 'the default kernel runs with the arguments that the config asks for')
      : refusal('kernel-arguments', 'fail', lacking),
    consoleCheck(seen),
    powerCheck(seen),
    watchdogs(facts),
    kdump(facts),
    upgrades(facts),
    modules(facts, machine.drivers),
    clock(facts, seen.asked),
    ...devices(inventory),
  ];
}
