import { statfs } from 'node:fs/promises';
import type { AgentDisk } from '@peerlab/contracts';
import type { AttemptSender } from './sender.js';
import type { SpoolDisk } from './spool-disk.js';

/** How full the agent's disk is and how far behind delivery is, for heartbeats. */
export class DiskReport {
  readonly #folder: string;
  readonly #spool: SpoolDisk;
  readonly #senders: () => readonly AttemptSender[];
  #freeBytes: number | undefined;

  /** @param folder where the spool is @param senders those of all attempts that the agent holds */
  constructor(folder: string, spool: SpoolDisk, senders: () => readonly AttemptSender[]) {
    this.#folder = folder;
    this.#spool = spool;
    this.#senders = senders;
  }

  /** Free space is as of the report before: a heartbeat does not wait for the disk. */
  report(nowMs = Date.now()): AgentDisk {
    void this.#measure();
    return {
      spoolBytes: Math.max(0, this.#spool.usedBytes),
      spoolLagSeconds: this.#lagSeconds(nowMs),
      diskFreeBytes: this.#freeBytes,
    };
  }

  /** Not known while the spool cannot be read: a heartbeat, which keeps leases, does not fail for that. */
  #lagSeconds(nowMs: number): number | undefined {
    try {
      const oldest = this.#senders().flatMap((sender) => sender.oldestAt() ?? []);
      return oldest.length === 0 ? 0 : Math.max(0, (nowMs - Math.min(...oldest)) / 1000);
    } catch {
      return undefined;
    }
  }

  async #measure(): Promise<void> {
    try {
      const { bavail, bsize } = await statfs(this.#folder);
      this.#freeBytes = bavail * bsize;
    } catch {
      // Not known, such as while the folder's file system is away; the spool reports its own failures.
      this.#freeBytes = undefined;
    }
  }
}
