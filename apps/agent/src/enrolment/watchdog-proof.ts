import type { MachineCheck } from '@peerlab/contracts';
import { adviceOf } from '../machine/errors.js';
import type { Session, Watchdog } from '../machine/protocols.js';
import { formatSeconds, pause } from '../timing.js';
import type { ActingOn } from './acting-on.js';
import { check } from './check.js';

/** Longer than the order to disarm takes on the slowest BMC, should this program be killed in between. */
const ARMED_MS = 600_000;
/** For a watchdog to be disarmed. */
const DISARM_MS = 120_000;
/** Between two looks at a timer: hardware tells whole seconds. */
const COUNT_MS = 2_000;

/** Whether an armed timer runs, in words that follow the name of the watchdog. */
interface Evidence {
  runs: boolean;
  text: string;
}

/**
 * Arms its watchdog, which would reset it after ten minutes, looks whether its timer runs, and disarms it. Resolves to null
 * where none is configured.
 */
export async function proveWatchdog({
  machine,
  connection,
  pace,
  signal,
  note,
}: ActingOn): Promise<MachineCheck | null> {
  const { watchdog } = machine;
  if (watchdog === null) return null;
  const { session } = await connection.reach(pace.reachMs, signal);
  const timeoutMs = Math.min(ARMED_MS, watchdog.longestMs);
  note(`arming the ${watchdog.name} for ${formatSeconds(timeoutMs)}, and disarming it`);
  let armed: unknown = null;
  let evidence: Evidence = { runs: true, text: '' };
  try {
    await watchdog.arm(session, timeoutMs, signal);
    evidence = await timerEvidence(watchdog, session, signal).catch((error: unknown) => ({
      runs: false,
      text: adviceOf(error),
    }));
  } catch (error) {
    armed = error;
  }
  // Also after an error, and when the person stops it: it may have been armed before.
  const disarmed: unknown = await watchdog.disarm(session, AbortSignal.timeout(DISARM_MS)).then(
    () => null,
    (error: unknown) => error,
  );
  signal.throwIfAborted();
  const remedy = 'look at it, or take watchdog: out of the config';
  if (armed !== null)
    return check('watchdog-arm', 'fail', `the ${watchdog.name} was not armed: ${adviceOf(armed)}`, remedy);
  if (disarmed === null && !evidence.runs)
    return check('watchdog-arm', 'fail', `the ${watchdog.name} took the order to arm, but ${evidence.text}`, remedy);
  if (disarmed === null)
    return check('watchdog-arm', 'pass', `the ${watchdog.name} took the orders to arm and to disarm; ${evidence.text}`);
  const danger = `it may reset the machine within ${formatSeconds(timeoutMs)}`;
  return check(
    'watchdog-arm',
    'fail',
    `the ${watchdog.name} was not disarmed: ${adviceOf(disarmed)}; ${danger}`,
    remedy,
  );
}

/** What the watchdog itself says after it was armed. A timer that tells its time is looked at twice. */
async function timerEvidence(watchdog: Watchdog, session: Session, signal: AbortSignal): Promise<Evidence> {
  const first = await watchdog.readBack(session, signal);
  const more = first.note === null ? '' : `: ${first.note}`;
  if (first.isRunning === null) return { runs: true, text: `whether its timer runs cannot be seen here${more}` };
  if (!first.isRunning) return { runs: false, text: `its timer does not run${more}` };
  if (first.leftMs === null) return { runs: true, text: `it says that its timer runs, and not how long still${more}` };
  await pause(COUNT_MS, signal);
  const { leftMs } = await watchdog.readBack(session, signal);
  if (leftMs === null || leftMs >= first.leftMs)
    return {
      runs: false,
      text: `its timer does not count: ${formatSeconds(first.leftMs)} left, and no less later${more}`,
    };
  return {
    runs: true,
    text: `its timer counted down from ${formatSeconds(first.leftMs)} to ${formatSeconds(leftMs)}${more}`,
  };
}
