import { log } from '@peerlab/runtime';

export type LogFields = Record<string, unknown>;

/** The old form of a log line, for rooms that do not use `log` of @peerlab/runtime yet. */
export function writeLog(level: 'debug' | 'info' | 'warn' | 'error', event: string, fields: LogFields = {}): void {
  log[level](fields, event);
}

/** Message and stack of anything that was thrown, for writeLog. */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: String(error) };
  return { error: error.message, stack: error.stack, ...('code' in error ? { code: error.code } : {}) };
}
