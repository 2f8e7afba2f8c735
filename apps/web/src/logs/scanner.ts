import type { LogQuery, Ranges } from './query.js';
import type { ScanAnswer, ScanRequest } from './scan-protocol.js';

/** How long the lines of one request may take; ten thousand lines take milliseconds. */
const DEADLINE_MS = 4000;

/** The thread that searches; a test has one of its own. */
export interface ScanThread {
  post: (request: ScanRequest) => void;
  onAnswer: (listen: (answer: ScanAnswer) => void) => void;
  end: () => void;
}

export function startScanThread(): ScanThread {
  const worker = new Worker(new URL('./scan-worker.ts', import.meta.url), { type: 'module' });
  return {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker has no origin to name
    post: (request) => worker.postMessage(request),
    onAnswer: (listen) => worker.addEventListener('message', ({ data }: MessageEvent<ScanAnswer>) => listen(data)),
    end: () => worker.terminate(),
  };
}

export class ScanProblem extends Error {}

export interface ScanHits {
  hits: readonly number[];
  ranges: readonly Ranges[];
}

/**
 * Searches lines outside the page's thread. Requests are answered in turn. One that takes longer than the deadline is
 * ended together with its thread and throws ScanProblem, as an expression that is none does; the next request starts
 * another thread.
 */
export class Scanner {
  readonly #start: () => ScanThread;
  readonly #deadlineMs: number;
  #thread: ScanThread | null = null;
  #lastId = 0;
  #waiting: { id: number; settle: (answer: ScanAnswer | Error) => void } | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(start = startScanThread, deadlineMs = DEADLINE_MS) {
    this.#start = start;
    this.#deadlineMs = deadlineMs;
  }

  /** Where these lines match. */
  scan(query: LogQuery, lines: readonly string[], wantsRanges = false): Promise<ScanHits> {
    const turn = this.#turn.then(() => this.#ask(query, lines, wantsRanges));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Ends the thread; whoever waits gets an error. */
  close(): void {
    this.#isClosed = true;
    this.#end(new ScanProblem('the search was ended'));
  }

  async #ask(query: LogQuery, lines: readonly string[], wantsRanges: boolean): Promise<ScanHits> {
    if (this.#isClosed) throw new ScanProblem('the search was ended');
    const thread = this.#thread ?? this.#open();
    const id = (this.#lastId += 1);
    const answer = await new Promise<ScanAnswer>((resolve, reject) => {
      const timer = setTimeout(
        () => this.#end(new ScanProblem('This expression takes too long. Make it simpler.')),
        this.#deadlineMs,
      );
      this.#waiting = {
        id,
        settle: (outcome) => {
          clearTimeout(timer);
          this.#waiting = null;
          if (outcome instanceof Error) reject(outcome);
          else resolve(outcome);
        },
      };
      thread.post({ id, query, lines, wantsRanges });
    });
    if (answer.problem !== null) throw new ScanProblem(answer.problem);
    return answer;
  }

  #open(): ScanThread {
    const thread = this.#start();
    thread.onAnswer((answer) => {
      if (answer.id === this.#waiting?.id) this.#waiting.settle(answer);
    });
    this.#thread = thread;
    return thread;
  }

  #end(error: Error): void {
    this.#thread?.end();
    this.#thread = null;
    this.#waiting?.settle(error);
  }
}
