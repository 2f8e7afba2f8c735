import { output, script } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';
import { JobFailure } from './failure.js';

/** Timers that replace packages, the default kernel among them, without anyone asking. */
const TIMERS = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dnf-automatic.timer',
  'dnf-automatic-install.timer',
  'dnf5-automatic.timer',
  'transactional-update.timer',
];
const SERVICES =
  'apt-daily-upgrade.service dnf-automatic.service dnf-automatic-install.service transactional-update.service';
/** Exit status when an upgrade runs at this moment. */
export const UPGRADING = 79;

/**
 * Shell text that keeps the timers from starting anything until the next boot, and writes down which of them it stopped.
 * An upgrade that runs is never interrupted. @param root what stands before /run; for tests
 */
export const holdScript = (root = ''): string => `
for service in ${SERVICES}; do
  case $(systemctl is-active "$service" 2>/dev/null) in active | activating) echo "$service runs" >&2; exit ${UPGRADING} ;; esac
done
mkdir -p ${root}/run/peerlab
for timer in ${TIMERS.join(' ')}; do
  [ "$(systemctl is-active "$timer" 2>/dev/null)" = active ] || continue
  systemctl --quiet mask --runtime --now "$timer" && echo "$timer" >>${root}/run/peerlab/held-timers
done
cat ${root}/run/peerlab/held-timers 2>/dev/null
exit 0`;

/** Shell text that gives those back which were held since the last boot. */
export const releaseScript = (root = ''): string => `
[ -f ${root}/run/peerlab/held-timers ] || exit 0
while read -r timer; do
  systemctl --quiet unmask --runtime "$timer" && systemctl start "$timer"
done <${root}/run/peerlab/held-timers
rm -f ${root}/run/peerlab/held-timers`;

/**
 * Keeps package upgrades away from the system that runs, until it reboots or `releaseUpgrades`. Resolves to the timers that are held.
 * Throws JobFailure `infrastructure` when an upgrade runs at this moment.
 */
export async function holdUpgrades(session: Session, machine: string, signal: AbortSignal): Promise<string[]> {
  const result = await session.exec(script('hold-upgrades', {}, holdScript()), { signal, maxBytes: 16 * 1024 });
  if (result.code === UPGRADING) {
    throw new JobFailure(
      'infrastructure',
      `${machine} upgrades its packages at this moment (${result.stderr.trim().slice(0, 100)}); try again when that is done`,
    );
  }
  return result.stdout.split('\n', TIMERS.length).filter((line) => TIMERS.includes(line));
}

/** They may start again: the machine belongs to its owner. */
export async function releaseUpgrades(session: Session, signal: AbortSignal): Promise<void> {
  await output(session, script('release-upgrades', {}, releaseScript()), { signal });
}
