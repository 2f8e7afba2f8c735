import { output, script } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';
import { DeadlinePassed, formatBytes, until } from '../timing.js';
import type { Pace } from './pace.js';

/** Functions that are compared, and bytes of their lines. */
const FUNCTIONS_MAX = 4096;
const OUTPUT_MAX_BYTES = 1024 * 1024;
/** An address and two ids; lanes now and at most; sizes of the BARs. Agents of before wrote address and ids down and nothing else. */
const FUNCTION =
  /^([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7] [0-9a-f]{4}:[0-9a-f]{4})(?: (?:-|x(\d{1,3})\/(\d{1,3})) ([\d,]{1,130}))?( silent)?$/;
const MEMORY = /^memory (\d{1,12})$/;
/** An emulated machine that hardly gets to run. */
const READ_MS = 120_000;
/** Losses that a message names. */
const NAMED = 5;

/**
 * What MemTotal may differ by from one boot of a kernel to the next, in KiB. It leaves out what is reserved at boot. Most of that
 * depends on the kernel and its command line alone; the firmware's own share moves by a few MiB. But where crashkernel=
 * finds no place below 4 GiB, which depends on where firmware and KASLR put things, the kernel takes it above and
 * 256 MiB more below (reserve_crashkernel_generic, crash_low_size_default). Twice that is an eighth of the smallest module
 * that servers take, 4 GiB; machines with less memory than that are virtual, and for them it is an eighth of the whole.
 */
const MEMORY_SLACK_KIB = 512 * 1024;
const MEMORY_SLACK_SHARE = 1 / 8;

/**
 * One process a function: a fork costs 20 ms on an emulated machine. What sysfs says of a function's ids is what the kernel
 * remembers: whether it still answers, its configuration space tells. A virtual function has no ids of its own there,
 * so more than the first word counts. A bridge with nothing below has no link, and any width.
 */
const read = (devices: string, meminfo: string): string => `while read -r name kib unit; do
  [ "$name" != MemTotal: ] || { echo "memory $kib"; break; }
done < ${meminfo}
for link in ${devices}/*; do
  [ -e "$link" ] || continue
  read -r vendor < "$link/vendor"; read -r device < "$link/device"; read -r class < "$link/class"
  width=; [ ! -r "$link/current_link_width" ] || read -r width < "$link/current_link_width"
  max=; [ ! -r "$link/max_link_width" ] || read -r max < "$link/max_link_width"
  below=$width
  case $class in
    0x0604*) below=; for child in "$link"/*:??:??.?; do [ ! -e "$child" ] || below=1; done ;;
  esac
  lanes=-; [ -z "$below" ] || [ -z "$width" ] || [ -z "$max" ] || lanes=x$width/$max
  bars=; count=0
  while [ $count -lt 6 ] && read -r start end flags; do
    size=0; [ $((end)) -eq 0 ] || [ $((flags & 0x20000000)) -ne 0 ] || size=$((end - start + 1))
    bars=$bars\${bars:+,}$size; count=$((count + 1))
  done < "$link/resource"
  silent=; [ "$(od -An -v -tx1 -N 16 "$link/config")" != "${' ff'.repeat(16)}" ] || silent=' silent'
  echo "\${link##*/} \${vendor#0x}:\${device#0x} $lanes $bars$silent"
done`;

/** What reads the hardware. The files are those of the machine but in tests. */
export const hardwareScript = (devices = '/sys/bus/pci/devices', meminfo = '/proc/meminfo'): string =>
  script('hardware', {}, read(devices, meminfo));

/**
 * What a machine has: its PCI functions, in the order of their addresses, and its memory in KiB, as lines to be kept and compared:
 * `0000:03:00.0 10de:2330 x16/16 16777216,0,137438953472,0,33554432,0` (lanes now and at most, or `-`; sizes of the BARs in
 * bytes, 0 = none or without an address; ` silent` at the end where it answers all ones), `memory 527992236`.
 */
export async function readHardware(session: Session, signal: AbortSignal): Promise<string[]> {
  const text = await output(session, hardwareScript(), {
    timeoutMs: READ_MS,
    maxBytes: OUTPUT_MAX_BYTES,
    signal,
  });
  return text
    .split('\n')
    .slice(0, FUNCTIONS_MAX)
    .filter((line) => FUNCTION.test(line) || MEMORY.test(line))
    .sort();
}

/**
 * Reads the hardware of a machine that was booted again, and tells what it lost since `before`, as `describeLoss` does; null as soon
 * as nothing is lost. Some links, virtual functions and memory come a little later than the SSH server.
 */
export async function lossSince(
  before: readonly string[],
  session: Session,
  pace: Pick<Pace, 'pollMs' | 'devicesMs'>,
  signal: AbortSignal,
): Promise<string | null> {
  const look = async (): Promise<string | null> => describeLoss(before, await readHardware(session, signal));
  try {
    await until('all devices', async () => ((await look()) === null ? true : undefined), {
      everyMs: pace.pollMs,
      timeoutMs: pace.devicesMs,
      signal,
    });
    return null;
  } catch (error) {
    if (!(error instanceof DeadlinePassed)) throw error;
    return look();
  }
}

interface PciFunction {
  lanes: { now: number; atMost: number } | null;
  /** In bytes, by number. */
  bars: number[];
  isSilent: boolean;
}

/** By address and ids. */
function functionsOf(hardware: readonly string[]): Map<string, PciFunction> {
  return new Map(
    hardware.flatMap((line): [string, PciFunction][] => {
      const [, name = '', now, atMost, bars = '', silent] = FUNCTION.exec(line) ?? [];
      if (name === '') return [];
      const lanes = now === undefined ? null : { now: Number(now), atMost: Number(atMost) };
      const sizes = bars === '' ? [] : bars.split(',').map(Number);
      return [[name, { lanes, bars: sizes, isSilent: silent !== undefined }]];
    }),
  );
}

function memoryKibOf(hardware: readonly string[]): number | null {
  const found = hardware.map((line) => MEMORY.exec(line)?.[1]).find((kib) => kib !== undefined);
  return found === undefined ? null : Number(found);
}

/** How many PCI functions there are among what `readHardware` read. */
export const functionCount = (hardware: readonly string[]): number => functionsOf(hardware).size;

/**
 * What the machine has no more, for people; null when nothing is lost: a function, its answers, lanes of its link, a BAR or
 * a part of it, memory. What is new or larger is no harm, and the speed of a link says how busy it is.
 */
export function describeLoss(before: readonly string[], now: readonly string[]): string | null {
  const left = functionsOf(now);
  const lost = [...functionsOf(before)].flatMap(([name, old]) => {
    const why = whatIsLost(old, left.get(name));
    return why === null ? [] : [why === '' ? name : `${name} (${why})`];
  });
  lost.push(...lostMemory(memoryKibOf(before), memoryKibOf(now)));
  if (lost.length === 0) return null;
  const more = lost.length > NAMED ? ` and ${lost.length - NAMED} more` : '';
  return `${lost.slice(0, NAMED).join(', ')}${more}`;
}

/** Null = nothing; empty = the whole function. */
function whatIsLost(before: PciFunction, now: PciFunction | undefined): string | null {
  if (now === undefined) return '';
  // What else such a function says means nothing.
  if (now.isSilent || before.isSilent) return before.isSilent ? null : 'it answers all ones';
  const lost: string[] = [];
  if (before.lanes !== null && now.lanes !== null) {
    if (now.lanes.now < before.lanes.now) lost.push(`its link has ${now.lanes.now} of ${before.lanes.now} lanes`);
    if (now.lanes.atMost < before.lanes.atMost)
      lost.push(`its link takes ${now.lanes.atMost} lanes at most, ${before.lanes.atMost} before`);
  }
  for (const [number, size] of before.bars.entries()) {
    const left = now.bars[number] ?? 0;
    if (left < size) lost.push(`BAR ${number} has ${formatBytes(left)} of ${formatBytes(size)}`);
  }
  return lost.length === 0 ? null : lost.join('; ');
}

function lostMemory(beforeKib: number | null, nowKib: number | null): string[] {
  if (beforeKib === null || nowKib === null) return [];
  const slackKib = Math.min(MEMORY_SLACK_KIB, beforeKib * MEMORY_SLACK_SHARE);
  if (beforeKib - nowKib <= slackKib) return [];
  const [left, whole] = [nowKib, beforeKib].map((kib) => (kib / 1024 ** 2).toFixed(1));
  return [`memory (${left} of ${whole} GiB)`];
}
