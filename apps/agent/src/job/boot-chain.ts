import { cleanText } from '@peerlab/contracts';
import { findManagementDevices } from '../inventory/management-devices.js';
import { output, quote, script } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';
import { JobFailure } from './failure.js';
import { moduleName } from './modules-archive.js';

/** What a kernel needs before it can mount the root file system of a machine, and before the agent reaches it. */
export interface BootChain {
  /** `/dev/mapper/server-root (ext4)`, for people. */
  root: string;
  /** Modules of the candidate that have to be in its initramfs, by the kernel's names. */
  modules: string[];
  /** What the candidate has built in. */
  builtin: string[];
  /** What it has not: `nvme, for 0000:00:03.0`. */
  missing: string[];
  /** Programs that have to be in its initramfs: `lvm`. */
  tools: string[];
  /** The way of the agent's connection; null = the machine does not tell which device carries it. */
  network: NetworkChain | null;
}

/** The network devices that carry the agent's connection, with their drivers. No initramfs needs those. */
export interface NetworkChain {
  /** `bond0 (eth0 eth1)`, for people. */
  devices: string;
  /** Drivers that the candidate has, built in or as modules, by the kernel's names. */
  drivers: string[];
  /** What it has not: `e1000e, for 0000:00:02.0`. */
  missing: string[];
}

const OUTPUT_MAX_BYTES = 256 * 1024;
const TEXT_MAX = 200;
const LINES_MAX = 1000;
const READ_MS = 120_000;
/** Before the kind of a line about the network. */
const NETWORK = 'network-';

/**
 * Walks from the root file system down to the PCI function that carries it, as sysfs shows it on the default kernel, and
 * asks the modules of the kernel `release` for each part: `module|WHAT|NAME`, `builtin|WHAT|NAME`, `missing|WHAT|NAME`,
 * `tool|NAME`. The same with `network-` in front for the network devices that carry the agent's connection. A driver that the
 * default kernel itself cannot have as a module (a PCIe port) is left out.
 * @param root what stands before /sys; for tests
 */
export const bootChainScript = (release: string, root = ''): string => `
export LC_ALL=C
release=${quote(release)} sys=${root}/sys seen= part=
depends() { modprobe -S "$1" --ignore-install --show-depends "$2" 2>/dev/null; }
# need WHAT NAME...: the first of the names that the kernel has. What it depends on comes along with it, and is not
# asked for: some of that is only wished for.
need() {
  local what first found
  what=$1 first=$2; shift
  for name; do
    [ -n "$name" ] || continue
    found=$(depends "$release" "$name" | tail -n 1); found=\${found% }
    case $found in
    "insmod "*) found=\${found##*/}; echo "\${part}module|$what|\${found%%.ko*}" ;;
    "builtin "*) echo "\${part}builtin|$what|\${found#builtin }" ;;
    *) continue ;;
    esac
    return
  done
  echo "\${part}missing|$what|$first"
}
device() {
  local at module alias
  at=$1
  while [ -n "$at" ] && [ "$at" != "$sys" ]; do
    if [ -e "$at/driver/module" ]; then
      module=$(cd -P "$at/driver/module" && echo "\${PWD##*/}")
      alias=; [ ! -r "$at/modalias" ] || read -r alias <"$at/modalias"
      if depends "$(uname -r)" "$module" >/dev/null; then need "\${at##*/}" "$module" "$alias"; fi
    fi
    at=\${at%/*}
  done
}
block() {
  local at link target level
  case " $seen " in *" $1 "*) return ;; esac
  seen="$seen $1"
  at=$(cd -P "$sys/class/block/$1" 2>/dev/null && pwd) || { echo "missing|$1|no such block device"; return; }
  if [ -d "$at/dm" ]; then
    need "$1" dm_mod
    case $(cat "$at/dm/uuid") in LVM-*) echo "tool|lvm" ;; CRYPT-*) echo "tool|cryptsetup" ;; mpath-*) echo "tool|multipath" ;; esac
    for target in $(dmsetup table "$(cat "$at/dm/name")" 2>/dev/null | cut -d' ' -f3 | sort -u); do
      case $target in linear | striped | error | zero) ;; *) need "$1" "dm-$target" ;; esac
    done
  elif [ -d "$at/md" ]; then
    read -r level <"$at/md/level"
    echo "tool|mdadm"
    need "$1" md_mod
    need "$1" "md-$level" "$level"
  fi
  for link in "$at"/slaves/*; do [ ! -e "$link" ] || block "\${link##*/}"; done
  [ ! -d "$at/dm" ] && [ ! -d "$at/md" ] || return
  if [ -e "$at/partition" ]; then at=\${at%/*}; block "\${at##*/}"; return; fi
  device "$at"
  # A namespace with several paths hangs below its subsystem, beside links to the controllers.
  for link in "\${at%/*}"/nvme[0-9]*; do
    [ ! -L "$link" ] || device "$(cd -P "$link" && pwd)"
  done
}
source=$(findmnt -nvo SOURCE /) && fs=$(findmnt -nvo FSTYPE /) || { echo "findmnt does not name the root file system" >&2; exit 1; }
echo "root|$source|$fs"
need "the file system $fs" "fs-$fs" "$fs"
disk=$(readlink -f -- "$source"); disk=\${disk##*/}
if [ -e "$sys/class/block/$disk" ]; then block "$disk"; fi
if [ "$fs" = btrfs ]; then
  for link in "$sys"/fs/btrfs/*/devices/"$disk"; do
    [ -e "$link" ] || continue
    for member in "\${link%/*}"/*; do block "\${member##*/}"; done
  done
fi
${findManagementDevices('"$sys"')}
[ -z "$management" ] || echo "network|\${management%% *}|\${management#"\${management%% *}"}"
part=network-
for name in $management; do
  at=$sys/class/net/$name
  if [ -e "$at/device" ]; then device "$(cd -P "$at/device" && pwd)"; continue; fi
  # The kernel names the kinds of virtual devices as the aliases of their drivers do.
  kind=$(sed -n 's/^DEVTYPE=//p' "$at/uevent" 2>/dev/null)
  case $kind in '') continue ;; bond) driver=bonding ;; vlan) driver=8021q ;; *) driver=$kind ;; esac
  if depends "$(uname -r)" "$driver" >/dev/null; then need "$name" "$driver" "rtnl-link-$kind"; fi
done
exit 0`;

/** Reads what the script printed. */
export function parseBootChain(text: string): BootChain {
  const names = (): Record<'module' | 'builtin' | 'missing', Set<string>> => ({
    module: new Set(),
    builtin: new Set(),
    missing: new Set(),
  });
  const [ofRoot, ofNetwork, tools] = [names(), names(), new Set<string>()];
  let root = '';
  let devices: string | null = null;
  for (const line of text.split('\n', LINES_MAX)) {
    const [word = '', what = '', name = ''] = line.split('|').map((each) => cleanText(each, TEXT_MAX));
    const isNetwork = word.startsWith(NETWORK);
    const kind = isNetwork ? word.slice(NETWORK.length) : word;
    const sets = isNetwork ? ofNetwork : ofRoot;
    if (kind === 'module' || kind === 'builtin') sets[kind].add(moduleName(name));
    else if (kind === 'missing') sets.missing.add(`${name}, for ${what}`);
    else if (word === 'root') root = `${what} (${name})`;
    else if (word === 'network') devices = name === '' ? what : `${what} (${name.trim()})`;
    else if (word === 'tool') tools.add(what);
  }
  return {
    root,
    modules: [...ofRoot.module],
    builtin: [...ofRoot.builtin],
    missing: [...ofRoot.missing],
    tools: [...tools],
    network:
      devices === null
        ? null
        : { devices, drivers: [...ofNetwork.builtin, ...ofNetwork.module], missing: [...ofNetwork.missing] },
  };
}

/**
 * Throws JobFailure `request` for a kernel whose configuration lacks a driver on the way to the root of `machine`, or on that of
 * the agent's connection to it: with the drivers, and what to build instead.
 */
export function checkBootChain(chain: BootChain, release: string, machine: string): void {
  const remedy = `build it with a configuration that has these as modules or built in, such as one that "peerlab machine configure ${machine}" makes`;
  if (chain.missing.length > 0) {
    throw new JobFailure(
      'request',
      `${release} cannot mount the root of ${machine}, ${chain.root}: it has not ${chain.missing.join('; ')}; ${remedy}`,
    );
  }
  const { network } = chain;
  if (network === null || network.missing.length === 0) return;
  throw new JobFailure(
    'request',
    `${release} would not be reached on ${machine}, whose connection to the agent goes over ${network.devices}: it has not ` +
      `${network.missing.join('; ')}; ${remedy}`,
  );
}

/** For the log: what the candidate has for the agent's connection. */
export function describeNetwork({ network }: BootChain): string {
  if (network === null)
    return 'which network device carries the connection is not known; its driver was not looked for';
  return `network ${network.devices}: ${network.drivers.join(' ') || 'no driver that a kernel could lack'}`;
}

/** The chain of the machine's root and network for the kernel `release`, whose modules are installed already. */
export async function readBootChain(session: Session, release: string, signal: AbortSignal): Promise<BootChain> {
  const text = await output(session, script('boot-chain', { release }, bootChainScript(release)), {
    timeoutMs: READ_MS,
    maxBytes: OUTPUT_MAX_BYTES,
    signal,
  });
  return parseBootChain(text);
}

/** A file in a folder of programs. */
const PROGRAM = /(?:^|\/)s?bin\/[^/]+$/;

/** What does the work of a program where systemd runs the initramfs. */
const INSTEAD: Readonly<Record<string, string>> = { cryptsetup: 'lib/systemd/systemd-cryptsetup' };

/**
 * Modules and programs of the chain that an initramfs with these files has not. Names of programs are also those of folders
 * (`etc/lvm`, `usr/lib/cryptsetup`) and of scripts of the tool itself (`hooks/mdadm`): a program lies in a bin or sbin.
 */
export function lackingFiles(chain: Pick<BootChain, 'modules' | 'tools'>, files: readonly string[]): string[] {
  const nameOf = (file: string): string => file.slice(file.lastIndexOf('/') + 1);
  const names = files.map(nameOf);
  const modules = new Set(
    names.flatMap((name) => (name.includes('.ko') ? [moduleName(name.slice(0, name.indexOf('.ko')))] : [])),
  );
  const programs = new Set(files.filter((file) => PROGRAM.test(file)).map(nameOf));
  const hasInstead = (path: string | undefined): boolean =>
    path !== undefined && files.some((file) => file === path || file.endsWith(`/${path}`));
  return [
    ...chain.modules.filter((module) => !modules.has(module)).map((module) => `the module ${module}`),
    ...chain.tools
      .filter((tool) => !programs.has(tool) && !hasInstead(INSTEAD[tool]))
      .map((tool) => `the program ${tool}`),
  ];
}
