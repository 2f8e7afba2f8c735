import { isIP } from 'node:net';
import { cleanText } from '@peerlab/contracts';
import { output, quote, script } from '../command.js';
import { MachineError } from '../errors.js';
import type { Session } from '../protocols.js';

/** The port that netconsole sends from when nothing is said. */
const SOURCE_PORT = 6665;
const OUTPUT_MAX_BYTES = 64 * 1024;
const READ_MS = 120_000;
const VALUE_MAX = 200;
const LINES_MAX = 50;

/** A name that no separator of the argument can be part of. */
const DEVICE = /^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,14}$/;
const MAC = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/;
const MODULE = /^[a-zA-Z0-9_-]{1,64}$/;

/** How datagrams of a machine reach its agent: by the way that the connection of this session takes. */
export interface NetconsoleWay {
  /** Address of the agent's computer, as the machine sees it. */
  agent: string;
  /** Network interface that the connection goes out by, and its hardware address; null = it has none. */
  device: string;
  mac: string | null;
  /** Hardware address of the agent's computer, or of the router to it. */
  nextHop: string;
  /** Module of the interface's driver; null = it has no driver of its own (a bridge, a bond). */
  driver: string | null;
  /** The kernel of which it was asked has that driver built in. */
  isDriverBuiltIn: boolean;
}

/**
 * Asks a machine how its side of the connection goes: one `NAME|VALUE` a line.
 * @param release a kernel whose modules are installed: the driver is asked of that; null = of the one that runs
 * @param root what stands before /sys and /lib; for tests
 */
export const netconsoleWayScript = (release: string | null, root = ''): string => `export LC_ALL=C
set -f
sys=${root}/sys
command -v ip >/dev/null || { echo "it has no program ip; install iproute2" >&2; exit 1; }
set -- $SSH_CONNECTION
[ $# -eq 4 ] || { echo "its sshd does not say where the connection comes from" >&2; exit 1; }
agent=$1 hop=$1 device=
echo "agent|$agent"
set -- $(ip -o route get "$agent" from "$3" 2>/dev/null | head -c 500 | head -n 1)
while [ $# -gt 1 ]; do
  case $1 in via) hop=$2 ;; dev) device=$2 ;; esac
  shift
done
[ -n "$device" ] || { echo "it knows no way to $agent" >&2; exit 1; }
echo "device|$device"
echo "mac|$(head -c 100 "$sys/class/net/$device/address" 2>/dev/null)"
set -- $(ip -o neigh show to "$hop" dev "$device" 2>/dev/null | head -c 500 | head -n 1)
while [ $# -gt 1 ]; do
  case $1 in lladdr) echo "next-hop|$2" ;; esac
  shift
done
module=$sys/class/net/$device/device/driver/module
if [ -e "$module" ]; then
  driver=$(cd -P "$module" && echo "\${PWD##*/}")
  echo "driver|$driver"
${
  release === null
    ? '  [ -e "$module/initstate" ] || echo "built-in|yes"'
    : `  if [ ! -e ${root}/lib/modules/${quote(release)} ]; then echo "built-in|yes"
  else
    case $(modprobe -S ${quote(release)} --ignore-install --show-depends "$driver" 2>/dev/null | tail -n 1) in
    "builtin "*) echo "built-in|yes" ;;
    esac
  fi`
}
fi
exit 0`;

/** Reads what the script printed. Throws MachineError when the way is not known, or no possible one. */
export function parseNetconsoleWay(text: string): NetconsoleWay {
  const values = new Map<string, string>();
  for (const line of text.split('\n', LINES_MAX)) {
    const [name = '', value = ''] = line.split('|', 2);
    if (!values.has(name)) values.set(name, cleanText(value.trim(), VALUE_MAX));
  }
  const take = (name: string, what: string, fits: (value: string) => boolean): string => {
    const value = values.get(name) ?? '';
    if (fits(value)) return value;
    throw new MachineError(
      'output',
      value === '' ? `the machine does not say ${what}` : `what the machine says is not ${what}: ${value}`,
    );
  };
  const mac = values.get('mac') ?? '';
  const driver = values.get('driver') ?? '';
  return {
    agent: take('agent', 'the address of the agent', isPlainAddress),
    device: take('device', 'the name of a network interface', (value) => DEVICE.test(value)),
    mac: MAC.test(mac) ? mac : null,
    nextHop: take('next-hop', 'the hardware address of the next computer on the way', (value) => MAC.test(value)),
    driver: MODULE.test(driver) ? driver : null,
    isDriverBuiltIn: values.get('built-in') === 'yes',
  };
}

/** An address without a zone. */
const isPlainAddress = (value: string): boolean => isIP(value) !== 0 && !value.includes('%');

/** The way of this session. Throws MachineError. */
export async function readNetconsoleWay(
  session: Session,
  release: string | null,
  signal?: AbortSignal,
): Promise<NetconsoleWay> {
  const command = script('netconsole-way', release === null ? {} : { release }, netconsoleWayScript(release));
  const limits = { timeoutMs: READ_MS, maxBytes: OUTPUT_MAX_BYTES };
  return parseNetconsoleWay(await output(session, command, { ...limits, ...(signal === undefined ? {} : { signal }) }));
}

/**
 * What a kernel is told, `netconsole=…`.
 * @param by a kernel that boots knows its interfaces by hardware address alone: the names are given later
 */
export function netconsoleArgument(
  { from, port }: { from: string; port: number },
  { agent, device, mac, nextHop }: NetconsoleWay,
  by: 'name' | 'mac',
): string {
  if (isIP(agent) !== isIP(from))
    throw new MachineError(
      'settings',
      `the machine sees the agent at ${agent}, which is of another kind than from: ${from}`,
      'write the address in from: that the machine has on the way to the agent',
    );
  return `netconsole=${SOURCE_PORT}@${from}/${by === 'mac' && mac !== null ? mac : device},${port}@${agent}/${nextHop}`;
}
