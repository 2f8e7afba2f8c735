import { log } from '@peerlab/runtime';

/** Uncaught faults within FAULT_WINDOW_MS after which the process exits: it is broken as a whole. */
export const FAULTS_MAX = 20;
export const FAULT_WINDOW_MS = 60_000;
/** EX_SOFTWARE of sysexits.h. */
const EXIT_SOFTWARE = 70;

/**
 * Logs an exception or rejection that nothing caught instead of letting it end the process, and with it the leases of
 * all machines. It is a bug; the attempt that it belongs to ends by its deadlines. FAULTS_MAX of them within
 * FAULT_WINDOW_MS end the process: its supervisor starts it again, and the next start recovers what ran.
 * @returns a function that removes the listeners
 */
export function surviveFaults(
  exit: (code: number) => void = (code) => process.exit(code),
  clock: () => number = () => performance.now(),
): () => void {
  const faults: number[] = [];
  const record = (kind: string) => (thrown: unknown) => {
    const now = clock();
    faults.push(now);
    while (faults[0] !== undefined && now - faults[0] > FAULT_WINDOW_MS) faults.shift();
    log.error({ kind, err: thrown, recent: faults.length }, 'unexpected-fault');
    if (faults.length < FAULTS_MAX) return;
    log.fatal({ faults: FAULTS_MAX, windowMs: FAULT_WINDOW_MS }, 'too-many-faults');
    exit(EXIT_SOFTWARE);
  };
  const onException = record('exception');
  const onRejection = record('rejection');
  process.on('uncaughtException', onException);
  process.on('unhandledRejection', onRejection);
  return () => {
    process.off('uncaughtException', onException);
    process.off('unhandledRejection', onRejection);
  };
}
