import { Injectable } from '@nestjs/common';
import { LogService } from '../logs/log.service.js';
import { CrashStore, type RequestedSearch } from './crash-store.js';
import { InjectedPages, mergeAlarms, StreamAlarms } from './found-alarms.js';
import { CRASH_STREAMS, mergeStreams, StreamCrashes, type CrashStream, type FoundCrash } from './found-crashes.js';

/** Lines that are read at once; about ten milliseconds of work, after which others have their turn. */
const PIECE = 2000;

/** Searches the logs of a participant for what its kernel reported, and what its machine's hardware told. */
@Injectable()
export class CrashSearch {
  readonly #store: CrashStore;
  readonly #logs: LogService;

  constructor(store: CrashStore, logs: LogService) {
    this.#store = store;
    this.#logs = logs;
  }

  /** Searches all streams of a participant, from their beginnings. @returns whether its request is done */
  async search(request: RequestedSearch, signal: AbortSignal): Promise<boolean> {
    const searched = await this.#store.searched(request.participant);
    const crashes: FoundCrash[][] = [];
    const alarms: StreamAlarms[] = [];
    const injected = new InjectedPages();
    if (searched !== null) {
      for (const stream of CRASH_STREAMS) {
        const ofStream = new StreamAlarms(stream, injected);
        crashes.push(await this.#searchStream(request.participant, stream, searched.release, ofStream, signal));
        alarms.push(ofStream);
      }
    }
    return this.#store.store(request, {
      crashes: mergeStreams(crashes),
      alarms: mergeAlarms(alarms.map((each) => each.end())),
    });
  }

  /**
   * What its kernel reported in a stream, whose lines `alarms` is given as well.
   * @param release of the kernel under test; null = there was none, so nothing that is reported is its
   */
  async #searchStream(
    participant: string,
    stream: CrashStream,
    release: string | null,
    alarms: StreamAlarms,
    signal: AbortSignal,
  ): Promise<FoundCrash[]> {
    const crashes = release === null ? null : new StreamCrashes(stream, release);
    for (let from = 0; ; from += PIECE) {
      signal.throwIfAborted();
      const lines = await this.#logs.lines(participant, stream, from, from + PIECE);
      for (const line of lines) {
        crashes?.push(line);
        alarms.push(line);
      }
      if (lines.length < PIECE) return crashes?.end() ?? [];
    }
  }
}
