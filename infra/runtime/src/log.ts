import { pino, stdTimeFunctions, type Logger } from 'pino';

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
  // Synchronous: the last line before a crash is the one that matters.
  pino.destination({ dest: 2, sync: true }),
);
