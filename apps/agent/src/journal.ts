export type Severity = 'debug' | 'info' | 'warning' | 'error';
export type Fields = Record<string, string | number | boolean | null | undefined>;

/** The daemon's own log. What belongs to an attempt goes to its agent stream instead. */
export interface Journal {
  debug(event: string, fields?: Fields): void;
  info(event: string, fields?: Fields): void;
  warning(event: string, fields?: Fields): void;
  error(event: string, fields?: Fields): void;
}

/** One JSON object per line: `at` (ISO 8601), `level`, `event`, then the fields. Never a secret. */
export function createJournal(write: (line: string) => void): Journal {
  const log = (level: Severity, event: string, fields: Fields = {}): void => {
    write(`${JSON.stringify({ at: new Date().toISOString(), level, event, ...fields })}\n`);
  };
  return {
    debug: (event, fields) => log('debug', event, fields),
    info: (event, fields) => log('info', event, fields),
    warning: (event, fields) => log('warning', event, fields),
    error: (event, fields) => log('error', event, fields),
  };
}

/** What an unknown thrown value says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
