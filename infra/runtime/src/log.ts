import { pino, stdTimeFunctions, type Logger } from 'pino';

/** Bytes of lines that could not be written yet, 1 MiB at most: what comes after them is dropped. */
const MOST_UNWRITTEN_BYTES = 1 << 20;

// Synchronous: the last line before a crash is the one that matters.
const destination = pino.destination({ dest: 2, sync: true, maxLength: MOST_UNWRITTEN_BYTES });
// A log that cannot be written (disk full, reader gone) must not end the program that writes it. The
// lines stay in the destination's buffer and are tried again with the next one.
destination.on('error', () => undefined);

/** Of an error's text, which may hold what a foreign machine said, in characters. */
const MOST_TEXT = 10_000;
/** Causes of causes, and errors of one that stands for several. */
const MOST_DEPTH = 5;
const MOST_ERRORS = 10;

const cut = (text: string): string => (text.length <= MOST_TEXT ? text : `${text.slice(0, MOST_TEXT)}…`);

/**
 * What of an error belongs into a line: its texts and its plain facts. Errors of libraries carry connections and requests
 * too, with every statement and header of theirs.
 */
function plainError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? cut(error) : error;
  const facts: Record<string, unknown> = {
    type: error.name,
    message: cut(error.message),
    stack: cut(error.stack ?? ''),
  };
  for (const [name, value] of Object.entries(error)) {
    if (typeof value === 'string') facts[name] ??= cut(value);
    else if (typeof value === 'number' || typeof value === 'boolean') facts[name] ??= value;
  }
  if (depth >= MOST_DEPTH) return facts;
  if (error.cause !== undefined) facts['cause'] = plainError(error.cause, depth + 1);
  if (error instanceof AggregateError)
    facts['errors'] = error.errors.slice(0, MOST_ERRORS).map((one) => plainError(one, depth + 1));
  return facts;
}

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
    serializers: { err: (error: unknown) => plainError(error) },
    level: process.env['PEERLAB_LOG_LEVEL'] ?? 'info',
  },
  destination,
);
