import type { LoggerService } from '@nestjs/common';

export type LogFields = Record<string, unknown>;

/** One JSON object per line on stderr; stdout is kept for what scripts read. */
export function writeLog(level: 'debug' | 'info' | 'warn' | 'error', message: string, fields: LogFields = {}): void {
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), level, message, ...fields })}\n`);
}

/** Message and stack of anything that was thrown, for a log line. */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: String(error) };
  return { error: error.message, stack: error.stack, ...('code' in error ? { code: error.code } : {}) };
}

/** Nest's own messages in the same form; its start-up chatter is left out. */
export class NestLog implements LoggerService {
  log(): void {}
  debug(): void {}
  verbose(): void {}
  warn(message: unknown, ...rest: unknown[]): void {
    writeLog('warn', String(message), { context: rest.at(-1) });
  }
  error(message: unknown, ...rest: unknown[]): void {
    writeLog('error', message instanceof Error ? message.message : String(message), { context: rest });
  }
  fatal(message: unknown, ...rest: unknown[]): void {
    this.error(message, ...rest);
  }
}
