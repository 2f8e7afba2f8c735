import type { IncomingMessage } from 'node:http';
import { ProblemError } from '../platform/http/problem.js';

/** Largest body in bytes: a series of 4 MiB, which JSON escapes can double, and the fields around it. */
const BODY_MAX_BYTES = 9 * 1024 * 1024;
/** Bodies read at once. Their senders are not known yet, so what they may hold in memory is bounded. */
const READS_AT_ONCE = 16;
/** How long a sender may take for its body. GitHub gives up after as long. */
const READ_TIMEOUT_MS = 10_000;

/** Reads the bodies of deliveries before their senders are known. */
export class HookBodies {
  #reading = 0;

  /** The bytes of a body. Throws ProblemError 413, or 429 when too many are being read; rejects when the sender is too slow. */
  async read(request: IncomingMessage): Promise<Buffer> {
    if (this.#reading >= READS_AT_ONCE) {
      throw new ProblemError(429, 'too-many-deliveries', 'too many deliveries arrive at this moment', {
        detail: 'send it again in some seconds',
      });
    }
    if (Number(request.headers['content-length'] ?? 0) > BODY_MAX_BYTES) throw tooLarge();
    this.#reading += 1;
    const timer = setTimeout(() => request.destroy(), READ_TIMEOUT_MS);
    try {
      const chunks: Buffer[] = [];
      let sizeBytes = 0;
      for await (const chunk of request as AsyncIterable<Buffer>) {
        sizeBytes += chunk.length;
        if (sizeBytes > BODY_MAX_BYTES) throw tooLarge();
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    } finally {
      clearTimeout(timer);
      this.#reading -= 1;
    }
  }
}

const tooLarge = (): ProblemError =>
  new ProblemError(413, 'too-large', `a delivery may have ${BODY_MAX_BYTES} bytes at most`);
