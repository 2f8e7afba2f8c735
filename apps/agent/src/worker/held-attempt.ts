import type { HeldParticipant } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { JobFailure } from '../job/failure.js';
import type { Meetings } from '../job/meetings.js';
import type { AttemptSpool } from '../spool/attempt-spool.js';
import type { AttemptSender } from '../spool/sender.js';
import { AttemptLease } from './attempt-lease.js';

/** A machine's or a build's part in an attempt, as this agent holds it: its spool, its job while that runs, and its lease. */
export class HeldAttempt {
  /** Aborted with the reason that ends the job. */
  readonly stop = new AbortController();
  readonly lease: AttemptLease;
  /** Its job is running, or is queued behind another one on the same machine. */
  running = false;
  /** The controller does not know it: its evidence is deleted. */
  discarded = false;
  /** Left by a previous agent process: its machine is restored and the attempt is finished, nothing else. */
  recovering = false;

  constructor(
    readonly spool: AttemptSpool,
    readonly sender: AttemptSender,
    readonly meetings: Meetings,
    clock: () => number,
  ) {
    this.lease = new AttemptLease((problem) => this.end(problem, 'lease-lost'), clock);
    spool.onFault = (error) => {
      log.error({ participant: spool.participantId, err: error }, 'spool-fault');
      this.stop.abort(new JobFailure('infrastructure', error.message));
    };
  }

  get id(): string {
    return this.spool.participantId;
  }

  get fence(): number {
    return this.spool.fence;
  }

  /** Null for a build. */
  get machine(): string | null {
    const { work } = this.spool.record.assignment;
    return work.kind === 'test' ? work.machine : null;
  }

  /** Its job is running and has not been told to end. */
  get isActive(): boolean {
    return this.running && !this.recovering && !this.stop.signal.aborted;
  }

  /** Ends the job with a reason, once; the machine is restored. No effect on one that is over. */
  end(reason: JobFailure, event: string): void {
    if (!this.running || this.stop.signal.aborted) return;
    log.warn({ participant: this.id, machine: this.machine, reason: reason.message }, event);
    this.stop.abort(reason);
  }

  report(): HeldParticipant {
    return {
      participantId: this.id,
      fence: this.fence,
      machine: this.machine,
      stage: this.spool.record.stage,
      state: this.isActive ? 'running' : this.running ? 'stopping' : 'finished',
      nextSeq: this.spool.nextSeq(),
    };
  }
}
