import { pino, stdTimeFunctions, type Logger } from 'pino';

/** Bytes of lines that could not be written yet, 1 MiB at most: what comes after them is dropped. */
const MOST_UNWRITTEN_BYTES = 1 << 20;

// Synchronous: the last line before a crash is the one that matters.
const destination = pino.destination({ dest: 2, sync: true, maxLength: MOST_UNWRITTEN_BYTES });
// A log that cannot be written (disk full, reader gone) must not end the program that writes it. The
// lines stay in the destination's buffer and are tried again with the next one.
destination.on('error', () => undefined);

/**
 * The log of a Peerlab program: one JSON object per line on stderr, so that stdout stays free for what
 * scripts read. `event` is a fixed name in kebab case that can be searched for; everything that varies
 * is a field: `log.warn({ machine, err }, 'lease-expired')`. Each program sets its name once:
 * `log.setBindings({ program: 'agent' })`.
 */
export const log: Logger = pino(
  {
    base: null,
    messageKey: 'event',
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    level: process.env['PEERLAB_LOG_LEVEL'] ?? 'info',
  },
  destination,
);
