import type { Journal } from './journal.js';

/** Faults within FAULT_WINDOW_MS after which the process gives up: something is broken at its root. */
export const FAULTS_MAX = 20;
export const FAULT_WINDOW_MS = 60_000;
/** EX_SOFTWARE of sysexits.h. */
const EXIT_SOFTWARE = 70;

/**
 * Keeps an exception that no listener caught from ending the process, and with it the leases of all machines. It is
 * a bug, and recorded as one; the attempt that it belongs to ends by its deadlines. Many in a row end the process:
 * its supervisor starts it anew, and the next start takes over what ran.
 * Returns a function that takes the listeners away again.
 */
export function surviveFaults(
  journal: Journal,
  exit: (code: number) => void = (code) => process.exit(code),
  clock: () => number = () => performance.now(),
): () => void {
  const faults: number[] = [];
  const take = (kind: string) => (thrown: unknown) => {
    const now = clock();
    faults.push(now);
    while (faults[0] !== undefined && now - faults[0] > FAULT_WINDOW_MS) faults.shift();
    const problem = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    journal.error('unexpected-fault', { kind, problem: problem.slice(0, 4000), recent: faults.length });
    if (faults.length < FAULTS_MAX) return;
    journal.error('giving-up', { reason: `${FAULTS_MAX} unexpected faults within ${FAULT_WINDOW_MS / 1000} s` });
    exit(EXIT_SOFTWARE);
  };
  const onException = take('exception');
  const onRejection = take('rejection');
  process.on('uncaughtException', onException);
  process.on('unhandledRejection', onRejection);
  return () => {
    process.off('uncaughtException', onException);
    process.off('unhandledRejection', onRejection);
  };
}
