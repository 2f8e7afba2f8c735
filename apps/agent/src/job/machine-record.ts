import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { MachineError } from '../machine/errors.js';
import { messageOf } from '../error-message.js';
import { replaceFile } from '../spool/segment.js';

/** The files that decide what a machine boots and who gets in, as the machine itself read them. */
export const Fingerprint = z.object({
  /** SHA-256 of the whole list; equal digests = nothing differs. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  /** SHA-256 or link target by path. */
  files: z.record(z.string(), z.string()),
  /** When it was taken, ISO 8601, and in which attempt. */
  at: z.string(),
  attemptId: z.string(),
});
export type Fingerprint = z.infer<typeof Fingerprint>;

/** What an agent knows of one machine from earlier attempts. */
export const MachineRecord = z.object({
  /** How the machine has to look; null until it is seen for the first time. */
  pinned: Fingerprint.nullable().default(null),
  /** How it looked when it last differed from that, for a person to accept. */
  differing: Fingerprint.nullable().default(null),
  /** The default kernel that the last restored attempt left running. */
  defaultAfter: z
    .object({ release: z.string(), buildId: z.string(), bootId: z.string(), attemptId: z.string() })
    .nullable()
    .default(null),
  /** From the reboot command to the boot loader, in milliseconds, the latest last. */
  firmwareMs: z.array(z.number().nonnegative()).default([]),
  /** The longest boot that its enrolment saw, from the order to the answer, in milliseconds. */
  enrolledBootMs: z.number().nonnegative().nullable().default(null),
  /** The boot loader whose mark was seen on its console: without it there, it did not take the entry. */
  markedBy: z.string().nullable().default(null),
  /** SHA-256 of the kernel configurations that came up here, the latest last: they have what its root and its network need. */
  bootedConfigs: z.array(z.string()).default([]),
});
export type MachineRecord = z.infer<typeof MachineRecord>;

/**
 * Records of the machines, one file each below `<stateDir>/machines`. Read again every time, because a person may
 * accept a change while the agent runs.
 */
export class MachineRecords {
  readonly #folder: string;

  constructor(stateDir: string) {
    this.#folder = join(stateDir, 'machines');
  }

  /** Throws MachineError when the file exists but is damaged: pinning the machine again without notice would hide a change. */
  read(machine: string): MachineRecord {
    let text: string;
    try {
      text = readFileSync(this.#path(machine), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return MachineRecord.parse({});
      throw this.#damaged(machine, error);
    }
    try {
      return MachineRecord.parse(JSON.parse(text));
    } catch (error) {
      throw this.#damaged(machine, error);
    }
  }

  /** Durable when it returns. Throws SpoolFault when the disk refuses. */
  update(machine: string, change: Partial<MachineRecord>): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    replaceFile(this.#path(machine), JSON.stringify({ ...this.read(machine), ...change }));
  }

  #path(machine: string): string {
    return join(this.#folder, `${machine}.json`);
  }

  #damaged(machine: string, cause: unknown): MachineError {
    return new MachineError(
      'settings',
      `${this.#path(machine)} cannot be read: ${messageOf(cause).slice(0, 300)}`,
      `look at ${machine} yourself, then remove the file; the next attempt pins the machine as it is`,
      cause,
    );
  }
}
