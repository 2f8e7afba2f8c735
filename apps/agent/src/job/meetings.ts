import {
  cutText,
  type FromAgent,
  MEETING_REASON_MAX,
  type MeetingOutcome,
  type MeetingPlace,
  type Missed,
  samePlace,
} from '@peerlab/contracts';

type MeetingFrame = Extract<FromAgent, { type: 'meeting' }>;
type PeerValue = Extract<MeetingOutcome, { kind: 'met' }>['peers'][number];

/** Time after which an unanswered frame is sent again: an answer may be lost with its connection. */
const RESEND_MS = 2000;

/** The others do not come; the message says who and why. */
export class MeetingMissed extends Error {
  constructor(
    readonly why: Missed['why'],
    reason: string,
  ) {
    super(reason);
    this.name = 'MeetingMissed';
  }
}

/**
 * Lets a participant wait for its peers, over the controller. It says where it is until it is answered, so that no lost
 * frame, restarted controller or new connection matters. One program waits at one place at a time.
 */
export class Meetings {
  readonly #participant: Pick<MeetingFrame, 'participantId' | 'fence'>;
  readonly #send: (frame: FromAgent) => boolean;
  readonly #left = new Set<string>();
  #over: string | null = null;
  #open: { at: NonNullable<MeetingFrame['at']>; settle: (outcome: MeetingOutcome) => void } | null = null;

  constructor(participant: Pick<MeetingFrame, 'participantId' | 'fence'>, send: (frame: FromAgent) => boolean) {
    this.#participant = participant;
    this.#send = send;
  }

  /**
   * Resolves to what the others said, in the order of their roles, when all of them are at this place. Rejects with
   * MeetingMissed, or with the signal's reason.
   */
  async meet(
    place: MeetingPlace,
    value: string,
    { waitSeconds, signal }: { waitSeconds: number; signal: AbortSignal },
  ): Promise<PeerValue[]> {
    signal.throwIfAborted();
    if (this.#open !== null) throw new MeetingMissed('passed', 'this side waits at another place already');
    const outcome = await this.#wait({ place, value, waitSeconds }, signal);
    if (outcome === null) {
      this.#tell();
      throw signal.reason;
    }
    if (outcome.kind === 'missed') throw new MeetingMissed(outcome.why, outcome.reason);
    return outcome.peers;
  }

  /** Null when the signal came first. */
  async #wait(at: NonNullable<MeetingFrame['at']>, signal: AbortSignal): Promise<MeetingOutcome | null> {
    const resend = setInterval(() => this.#tell(), RESEND_MS);
    let abort: () => void = () => undefined;
    try {
      return await new Promise((resolve) => {
        abort = () => resolve(null);
        signal.addEventListener('abort', abort, { once: true });
        this.#open = { at, settle: resolve };
        this.#tell();
      });
    } finally {
      clearInterval(resend);
      signal.removeEventListener('abort', abort);
      this.#open = null;
    }
  }

  /** This participant is through with a suite: nobody has to wait for it there. */
  leave(suite: string): void {
    this.#left.add(suite);
    this.#tell();
  }

  /** This participant comes to no place any more; `reason` goes on after its name: "has crashed". The first one counts. */
  giveUp(reason: string): void {
    this.#over ??= cutText(reason, MEETING_REASON_MAX);
    this.#tell();
  }

  /** The connection is new: what was said before may not have arrived. */
  sayAgain(): void {
    if (this.#open !== null || this.#over !== null || this.#left.size > 0) this.#tell();
  }

  /** An answer of the controller; one about another place came late. */
  receive(place: MeetingPlace, outcome: MeetingOutcome): void {
    if (this.#open !== null && samePlace(this.#open.at.place, place)) this.#open.settle(outcome);
  }

  /** What cannot be sent now is said again: `#wait` and `sayAgain`. */
  #tell(): void {
    this.#send({
      type: 'meeting',
      ...this.#participant,
      left: [...this.#left],
      over: this.#over,
      at: this.#open?.at ?? null,
    });
  }
}
