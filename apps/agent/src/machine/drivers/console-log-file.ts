import { open, stat } from 'node:fs/promises';
import { LineSplitter } from '../lines.js';
import type { Console } from '../protocols.js';
import { pause } from '../../timing.js';

const READ_BYTES = 64 * 1024;

/**
 * A console that something else records into a growing file. Missing file: waits for it. File got
 * shorter (truncated or replaced): goes on from its start. Held back, it leaves the text in the file.
 */
export function createLogFileConsole(settings: { logFile: string; pollMs?: number }): Console {
  const pollMs = settings.pollMs ?? 100;
  return {
    async follow(from, onLine, flow) {
      const sizeNow = async (): Promise<number> =>
        stat(settings.logFile).then(
          (found) => found.size,
          () => 0,
        );
      let offset = from === 'end' ? await sizeNow() : from;
      const splitter = new LineSplitter(onLine);
      const stopping = new AbortController();
      const stopped = new Promise<void>((resolve) => {
        stopping.signal.addEventListener('abort', () => resolve(), { once: true });
      });
      const drain = async (): Promise<void> => {
        const size = await sizeNow();
        if (size < offset) offset = 0;
        if (size <= offset) return;
        const file = await open(settings.logFile);
        try {
          for (;;) {
            const { buffer, bytesRead } = await file.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, offset);
            if (bytesRead === 0) break;
            offset += bytesRead;
            splitter.push(buffer.subarray(0, bytesRead));
            const wait = flow?.wait() ?? null;
            if (wait !== null) await Promise.race([wait, stopped]);
          }
        } finally {
          await file.close();
        }
      };
      const following = (async () => {
        while (!stopping.signal.aborted) {
          // A file that vanishes between stat and open is there again, or not, at the next look.
          await drain().catch(() => undefined);
          await pause(pollMs, stopping.signal).catch(() => undefined);
        }
      })();
      return {
        get offsetBytes() {
          return offset;
        },
        get partial() {
          return splitter.partial;
        },
        async stop() {
          stopping.abort();
          await following;
          await drain().catch(() => undefined);
          splitter.end();
        },
      };
    },
  };
}
