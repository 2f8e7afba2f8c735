import { output, script } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';

/** Counts of errors that are not zero, by what counts them: `0000:03:00.0 aer_dev_fatal`, `mlx5_0/1 symbol_error`. */
export type DeviceErrors = Readonly<Record<string, number>>;

const OUTPUT_MAX_BYTES = 256 * 1024;
/** An emulated machine that hardly gets to run. */
const READ_MS = 120_000;
const LINE = /^([\w:./-]{1,80} \w{1,60}) (\d{1,15})$/;
/** Counters that a message names. */
const NAMED = 8;

/**
 * PCIe advanced error reporting and the ports of RDMA devices. They begin at zero with each kernel. Shell built-ins
 * only: a fork costs 20 ms on an emulated machine.
 */
const READ = `for file in /sys/bus/pci/devices/*/aer_dev_correctable /sys/bus/pci/devices/*/aer_dev_nonfatal /sys/bus/pci/devices/*/aer_dev_fatal; do
  [ -r "$file" ] || continue
  device=\${file%/*}
  while read -r name value; do
    case $name in TOTAL_*) [ "$value" = 0 ] || echo "\${device##*/} \${file##*/} $value" ;; esac
  done <"$file"
done
for port in /sys/class/infiniband/*/ports/*; do
  device=\${port%/ports/*}
  for name in symbol_error link_error_recovery link_downed port_rcv_errors local_link_integrity_errors excessive_buffer_overrun_errors; do
    [ -r "$port/counters/$name" ] || continue
    read -r value <"$port/counters/$name" || continue
    [ "$value" = 0 ] || echo "\${device##*/}/\${port##*/} $name $value"
  done
done
exit 0`;

/** The counters of errors on the running kernel. Rejects with a MachineError. */
export async function readDeviceErrors(session: Session, signal: AbortSignal): Promise<DeviceErrors> {
  const text = await output(session, script('device-errors', {}, READ), {
    timeoutMs: READ_MS,
    maxBytes: OUTPUT_MAX_BYTES,
    signal,
  });
  return Object.fromEntries(
    text.split('\n').flatMap((line) => {
      const found = LINE.exec(line.slice(0, 200));
      return found === null ? [] : [[found[1] ?? '', Number(found[2])]];
    }),
  );
}

/** What was counted since, for people; null when nothing was. */
export function describeErrors(before: DeviceErrors, now: DeviceErrors): string | null {
  const grown = Object.entries(now)
    .map(([name, count]) => ({ name, by: count - (before[name] ?? 0) }))
    .filter(({ by }) => by > 0);
  if (grown.length === 0) return null;
  const more = grown.length > NAMED ? ` and ${grown.length - NAMED} more` : '';
  return `${grown
    .slice(0, NAMED)
    .map(({ name, by }) => `${name} +${by}`)
    .join(', ')}${more}`;
}
