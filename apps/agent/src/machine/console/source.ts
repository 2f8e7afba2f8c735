import type { Readable } from 'node:stream';

/** Takes bytes; a promise = read no more until it resolves. It never rejects. */
export type TakeBytes = (chunk: Buffer) => Promise<void> | null;

/** Hands out what a stream gives, and holds it back while the taker cannot take more. */
export function pour(from: Readable, take: TakeBytes): void {
  from.on('data', (chunk: Buffer) => {
    const full = take(chunk);
    if (full === null) return;
    from.pause();
    void full.then(() => from.resume());
  });
}

/** Where the bytes of a console come from: one connection at a time. */
export interface ConsoleSource {
  /** For messages: `serial over LAN of BMC 10.0.0.7`. */
  readonly name: string;
  /**
   * Connects and hands out what comes, until it ends or `signal` is aborted. `onOpen` is called when bytes may
   * come. Resolves, and never rejects, with why it ended.
   */
  read(handlers: { onOpen: () => void; onBytes: TakeBytes }, signal: AbortSignal): Promise<string>;
}
