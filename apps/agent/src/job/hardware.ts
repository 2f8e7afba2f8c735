import { output, script } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';

/** Functions that are compared, and characters of one line: an address and two ids. */
const FUNCTIONS_MAX = 4096;
const LINE = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7] [0-9a-f]{4}:[0-9a-f]{4}$/;
const OUTPUT_MAX_BYTES = 256 * 1024;
/** An emulated machine that hardly gets to run. */
const READ_MS = 120_000;
/** Functions that a message names. */
const NAMED = 5;

/** Shell built-ins only: a fork costs 20 ms on an emulated machine. */
const READ = `for link in /sys/bus/pci/devices/*; do
  [ -e "$link" ] || continue
  read -r vendor < "$link/vendor"; read -r device < "$link/device"
  echo "\${link##*/} \${vendor#0x}:\${device#0x}"
done`;

/** The PCI functions of a machine, as `0000:03:00.0 10de:2330`, in the order of their addresses. */
export async function readHardware(session: Session, signal: AbortSignal): Promise<string[]> {
  const text = await output(session, script('hardware', {}, READ), {
    timeoutMs: READ_MS,
    maxBytes: OUTPUT_MAX_BYTES,
    signal,
  });
  return text
    .split('\n')
    .slice(0, FUNCTIONS_MAX)
    .filter((line) => LINE.test(line))
    .sort();
}

/** What the machine has no more, for people; null when nothing is lost. What is new is no harm. */
export function describeLoss(before: readonly string[], now: readonly string[]): string | null {
  const left = new Set(now);
  const lost = before.filter((line) => !left.has(line));
  if (lost.length === 0) return null;
  const more = lost.length > NAMED ? ` and ${lost.length - NAMED} more` : '';
  return `${lost.slice(0, NAMED).join(', ')}${more}`;
}
