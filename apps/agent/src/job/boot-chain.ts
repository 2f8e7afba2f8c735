import { cleanText } from '@peerlab/contracts';
import { output, quote, script } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';
import { moduleName } from './modules-archive.js';

/** What a kernel needs before it can mount the root file system of a machine. */
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
}

const OUTPUT_MAX_BYTES = 256 * 1024;
const TEXT_MAX = 200;
const LINES_MAX = 1000;
const READ_MS = 120_000;

/**
 * Walks from the root file system down to the PCI function that carries it, as sysfs shows it on the default kernel, and
 * asks the modules of the kernel `release` for each part: `module|WHAT|NAME`, `builtin|WHAT|NAME`, `missing|WHAT|NAME`,
 * `tool|NAME`. A driver that the default kernel itself cannot have as a module (a PCIe port) is left out.
 * @param root what stands before /sys; for tests
 */
export const bootChainScript = (release: string, root = ''): string => `
export LC_ALL=C
release=${quote(release)} sys=${root}/sys seen=
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
    "insmod "*) found=\${found##*/}; echo "module|$what|\${found%%.ko*}" ;;
    "builtin "*) echo "builtin|$what|\${found#builtin }" ;;
    *) continue ;;
    esac
    return
  done
  echo "missing|$what|$first"
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
exit 0`;

/** Reads what the script printed. */
export function parseBootChain(text: string): BootChain {
  const sets = {
    module: new Set<string>(),
    builtin: new Set<string>(),
    missing: new Set<string>(),
    tool: new Set<string>(),
  };
  let root = '';
  for (const line of text.split('\n', LINES_MAX)) {
    const [kind = '', what = '', name = ''] = line.split('|').map((word) => cleanText(word, TEXT_MAX));
    if (kind === 'root') root = `${what} (${name})`;
    else if (kind === 'module' || kind === 'builtin') sets[kind].add(moduleName(name));
    else if (kind === 'missing') sets.missing.add(`${name}, for ${what}`);
    else if (kind === 'tool') sets.tool.add(what);
  }
  return {
    root,
    modules: [...sets.module],
    builtin: [...sets.builtin],
    missing: [...sets.missing],
    tools: [...sets.tool],
  };
}

/** The chain of the machine's root for the kernel `release`, whose modules are installed already. */
export async function readBootChain(session: Session, release: string, signal: AbortSignal): Promise<BootChain> {
  const text = await output(session, script('boot-chain', { release }, bootChainScript(release)), {
    timeoutMs: READ_MS,
    maxBytes: OUTPUT_MAX_BYTES,
    signal,
  });
  return parseBootChain(text);
}

/** Modules and programs of the chain that an initramfs with these files has not. */
export function lackingFiles(chain: BootChain, files: readonly string[]): string[] {
  const names = new Set(files.map((file) => file.slice(file.lastIndexOf('/') + 1)));
  const modules = new Set(
    [...names].flatMap((name) => (name.includes('.ko') ? [moduleName(name.replace(/\.ko.*$/, ''))] : [])),
  );
  return [
    ...chain.modules.filter((module) => !modules.has(module)).map((module) => `the module ${module}`),
    ...chain.tools.filter((tool) => !names.has(tool)).map((tool) => `the program ${tool}`),
  ];
}
