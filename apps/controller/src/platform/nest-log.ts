import type { LoggerService } from '@nestjs/common';
import { log } from '@peerlab/runtime';

/** Warnings and errors of Nest itself as lines of our log; its start-up messages are left out. */
export class NestLog implements LoggerService {
  log(): void {}
  debug(): void {}
  verbose(): void {}
  warn(message: unknown, ...rest: unknown[]): void {
    log.warn({ message: String(message), context: rest.at(-1) }, 'nest-warning');
  }
  error(message: unknown, ...rest: unknown[]): void {
    log.error({ err: message instanceof Error ? message : new Error(String(message)), context: rest }, 'nest-error');
  }
  fatal(message: unknown, ...rest: unknown[]): void {
    this.error(message, ...rest);
  }
}
