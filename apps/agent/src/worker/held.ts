import type { HeldAttempt } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { JobFailure } from '../job/failure.js';
import type { AttemptSpool } from '../spool/attempt-spool.js';
import type { AttemptSender } from '../spool/sender.js';
import { AttemptLease } from './attempt-lease.js';

/** An attempt that this agent holds: its spool, its job while that runs, and its lease. */
export class Held {
  /** Aborted with the reason that ends the job. */
  readonly stop = new AbortController();
  readonly lease: AttemptLease;
  /** Its job is under way or waits for the one before it. */
  running = false;
  /** The controller does not know it: nothing of it is kept. */
  discarded = false;
  /** Left over from an earlier life of the agent: it is only brought to its end. */
  recovering = false;

  constructor(
    readonly spool: AttemptSpool,
    readonly sender: AttemptSender,
    clock: () => number,
  ) {
    this.lease = new AttemptLease((problem) => this.end(problem, 'lease-lost'), clock);
    spool.onFault = (error) => {
      log.error({ attempt: spool.attemptId, err: error }, 'spool-fault');
      this.stop.abort(new JobFailure('infrastructure', error.message));
    };
  }

  get id(): string {
    return this.spool.attemptId;
  }

  get fence(): number {
    return this.spool.fence;
  }

  /** Null for a build. */
  get machine(): string | null {
    const { work } = this.spool.memory.assignment;
    return work.kind === 'test' ? work.machine : null;
  }

  /** Its job may still do something else than to come to its end. */
  get isActive(): boolean {
    return this.running && !this.recovering && !this.stop.signal.aborted;
  }

  /** Ends the job with a reason, once; the machine is restored. No effect on one that is over. */
  end(reason: JobFailure, event: string): void {
    if (!this.running || this.stop.signal.aborted) return;
    log.warn({ attempt: this.id, machine: this.machine, reason: reason.message }, event);
    this.stop.abort(reason);
  }

  report(): HeldAttempt {
    return {
      attemptId: this.id,
      fence: this.fence,
      machine: this.machine,
      stage: this.spool.memory.stage,
      state: this.isActive ? 'running' : this.running ? 'stopping' : 'finished',
      nextSeq: this.spool.nextSeq(),
    };
  }
}
