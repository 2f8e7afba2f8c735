import { z } from 'zod';
import { output, script } from '../command.js';
import { defineDriver } from '../driver.js';
import { MachineError } from '../errors.js';
import type { Session, Watchdog, WatchdogReading } from '../protocols.js';
import { formatSeconds } from '../../timing.js';

/** The longest time that common hardware counts: iTCO and i6300esb stop at about ten minutes. */
const LONGEST_MS = 600_000;
const MANAGER = 'org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager';

/** Devices by identity, and who holds the first one open. */
const FACTS = `
for device in /sys/class/watchdog/watchdog*; do
  [ -e "$device/identity" ] || continue
  echo "device \${device##*/} $(cat "$device/identity")"
done
echo "systemd $(busctl get-property ${MANAGER} RuntimeWatchdogUSec 2>/dev/null)"
for process in /proc/[0-9]*; do
  for file in "$process"/fd/*; do
    case $(readlink "$file" 2>/dev/null) in /dev/watchdog*) echo "holder $(cat "$process/comm")"; break ;; esac
  done
done
exit 0`;

/** What was set for the way down, and how the devices stand: `set USEC`, `state NAME active|inactive SECONDS-LEFT`. */
const STANDING = `
echo "set $(busctl get-property ${MANAGER} RebootWatchdogUSec)"
for device in /sys/class/watchdog/watchdog*; do
  [ -e "$device/state" ] || continue
  echo "state \${device##*/} $(cat "$device/state") $(cat "$device/timeleft" 2>/dev/null)"
done
exit 0`;

/** Programs that hold a watchdog device open, systemd left out. */
export function foreignHolders(facts: string): string[] {
  return facts.split('\n', 200).flatMap((line) => /^holder (?!systemd$)(.{1,64})$/.exec(line)?.[1] ?? []);
}

function requireDevice(facts: string): void {
  if (/^device /m.test(facts)) return;
  throw new MachineError(
    'watchdog',
    'the machine shows no watchdog device',
    'load its driver (iTCO_wdt, i6300esb), or take watchdog: out of the config',
  );
}

/**
 * A watchdog on the machine itself (iTCO, i6300esb), through systemd: it covers the way down, until the reset stops it. The
 * next kernel starts one of its own.
 */
export function createRebootWatchdog(): Watchdog {
  const facts = (session: Session, signal?: AbortSignal): Promise<string> =>
    output(session, script('watchdog-facts', {}, FACTS), {
      maxBytes: 64 * 1024,
      ...(signal === undefined ? {} : { signal }),
    });
  const set = async (session: Session, timeoutMs: number): Promise<void> => {
    const body = `for name in RebootWatchdogUSec KExecWatchdogUSec; do busctl set-property ${MANAGER} $name t ${Math.round(timeoutMs * 1000)} || exit 1; done`;
    await output(session, script('watchdog-set', { timeoutMs }, body));
  };
  return {
    name: 'watchdog of the machine',
    longestMs: LONGEST_MS,

    async foreignUser(session, signal) {
      const found = await facts(session, signal);
      requireDevice(found);
      const holders = foreignHolders(found);
      return holders.length === 0 ? null : `it is held by ${holders.slice(0, 3).join(', ')}`;
    },

    async arm(session, timeoutMs, signal) {
      requireDevice(await facts(session, signal));
      await set(session, timeoutMs);
    },

    // The reset stops it; what was set goes with the kernel that was told to reboot.
    disarm: () => Promise.resolve(),

    async readBack(session, signal) {
      const text = await output(session, script('watchdog-standing', {}, STANDING), {
        maxBytes: 64 * 1024,
        ...(signal === undefined ? {} : { signal }),
      });
      return standing(text);
    },
  };
}

/** What STANDING printed. Throws MachineError where systemd did not keep the time. */
export function standing(text: string): WatchdogReading {
  const setMs = Number(/^set t (\d{1,18})$/m.exec(text)?.[1] ?? 0) / 1000;
  // It takes a time that is not set for "none", or for "the default".
  if (setMs === 0 || setMs > 2 ** 53 / 1000)
    throw new MachineError(
      'watchdog',
      'systemd took the time of RebootWatchdogUSec and does not have it',
      'look at `systemctl show -p RebootWatchdogUSec`, or take watchdog: out of the config',
    );
  const active = /^state (watchdog\d{1,4}) active ?(\d{0,9})$/m.exec(text);
  const note = `systemd has ${formatSeconds(setMs)} for the way down`;
  if (active === null) return { isRunning: null, leftMs: null, note: `${note}, when it starts the timer` };
  const [, device = '', seconds = ''] = active;
  // systemd pats it meanwhile, so that it does not count down here.
  return {
    isRunning: true,
    leftMs: null,
    note: `${note}; ${device} runs${seconds === '' ? '' : ` with ${seconds} s left`}, and systemd pats it`,
  };
}

export const rebootWatchdog = defineDriver({
  schema: z.strictObject({ driver: z.literal('systemd') }),
  paths: [],
  create: () => createRebootWatchdog(),
});
