import { cutText } from '@peerlab/contracts';

type MachineErrorKind =
  | 'unreachable'
  | 'host-key-changed'
  | 'auth-refused'
  | 'connection-lost'
  | 'command-failed'
  | 'command-timeout'
  | 'upload'
  | 'digest'
  | 'power'
  | 'boot-select'
  | 'initramfs'
  | 'watchdog'
  | 'memory'
  | 'settings'
  /** What a command or a console printed could not be taken. */
  | 'output'
  /** The machine has the fence of another attempt. */
  | 'fenced';

/** Longest message, in characters: much of it is what the machine printed. */
const MESSAGE_MAX = 2000;

/** Something about a machine, in words for the person who looks after it. */
export class MachineError extends Error {
  readonly kind: MachineErrorKind;
  readonly remedy: string | null;

  constructor(kind: MachineErrorKind, message: string, remedy: string | null = null, cause?: unknown) {
    super(cutText(message, MESSAGE_MAX), cause === undefined ? undefined : { cause });
    this.name = 'MachineError';
    this.kind = kind;
    this.remedy = remedy === null ? null : cutText(remedy, MESSAGE_MAX);
  }

  /** Message and remedy in one line. */
  get advice(): string {
    return this.remedy === null ? this.message : `${this.message}; ${this.remedy}`;
  }
}

/** The message of any error, with the remedy where there is one. */
export function adviceOf(error: unknown): string {
  if (error instanceof MachineError) return error.advice;
  return error instanceof Error ? error.message : String(error);
}
