import { Injectable } from '@nestjs/common';
import { LogService } from '../logs/log.service.js';
import { CrashStore, type RequestedSearch } from './crash-store.js';
import { CRASH_STREAMS, mergeStreams, StreamCrashes, type CrashStream, type FoundCrash } from './found-crashes.js';

/** Lines that are read at once; about ten milliseconds of work, after which others have their turn. */
const PIECE = 2000;

/** Searches the logs of a participant for what its kernel reported. */
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
    const found: FoundCrash[][] = [];
    if (searched?.release != null) {
      for (const stream of CRASH_STREAMS) {
        found.push(await this.#searchStream(request.participant, stream, searched.release, signal));
      }
    }
    return this.#store.store(request, mergeStreams(found));
  }

  async #searchStream(
    participant: string,
    stream: CrashStream,
    release: string,
    signal: AbortSignal,
  ): Promise<FoundCrash[]> {
    const crashes = new StreamCrashes(stream, release);
    for (let from = 0; ; from += PIECE) {
      signal.throwIfAborted();
      const lines = await this.#logs.lines(participant, stream, from, from + PIECE);
      for (const line of lines) crashes.push(line);
      if (lines.length < PIECE) return crashes.end();
    }
  }
}
