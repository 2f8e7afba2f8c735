import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { reconnectPauseMs } from '@peerlab/client';
import { BUNDLE_MAX_BYTES, Problem, ROUTES, requestOf } from '@peerlab/contracts';
import type { Artifacts } from '../job/artifacts.js';
import { messageOf } from '../error-message.js';
import { pause } from '../timing.js';
import { httpBase } from './controller-url.js';

/** A controller that restarts is back within seconds; a job outlives that. */
const TRIES = 8;

/** Largest artifact that an agent has a use for, in bytes: the files of a bundle and what their archive adds. */
const DOWNLOAD_MAX_BYTES = BUNDLE_MAX_BYTES + 64 * 1024 * 1024;

/** An answer that trying again does not change. */
class RefusedError extends Error {}

/** The artifact store over HTTP, with the agent's token. Transient failures are tried again. */
export function createHttpArtifacts(settings: { controller: string; readToken: () => string }): Artifacts {
  const base = httpBase(settings.controller);
  const headers = (): Record<string, string> => ({ authorization: `Bearer ${settings.readToken()}` });

  const again = async <T>(what: string, signal: AbortSignal | undefined, act: () => Promise<T>): Promise<T> => {
    for (let failures = 1; ; failures += 1) {
      try {
        return await act();
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof RefusedError || failures >= TRIES) {
          throw new Error(`${what}: ${messageOf(error)}`, { cause: error });
        }
        await pause(reconnectPauseMs(failures - 1), signal);
      }
    }
  };
  const refuse = async (response: Response): Promise<never> => {
    const body = Problem.safeParse(await response.json().catch(() => null));
    const why = body.success ? `${body.data.title}${body.data.detail ? `: ${body.data.detail}` : ''}` : '';
    const message = `the controller answered ${response.status} ${why}`.trim();
    const { status } = response;
    throw status >= 500 || status === 429 || status === 408 ? new Error(message) : new RefusedError(message);
  };
  const withSignal = (signal: AbortSignal | undefined): RequestInit => (signal === undefined ? {} : { signal });

  return {
    async download(sha256, path, signal, maxBytes = DOWNLOAD_MAX_BYTES) {
      await again(`download of artifact ${sha256}`, signal, async () => {
        const { path: route } = requestOf('getArtifact', { params: { sha256 } });
        const response = await fetch(base + route, { headers: headers(), ...withSignal(signal) });
        if (!response.ok || response.body === null) return refuse(response);
        const temporary = `${path}.${randomUUID()}.part`;
        const hash = createHash('sha256');
        let sizeBytes = 0;
        const hashing = new Transform({
          transform(chunk: Buffer, _encoding, done) {
            sizeBytes += chunk.length;
            if (sizeBytes > maxBytes) return done(new RefusedError(`it has more than ${maxBytes} bytes`));
            hash.update(chunk);
            done(null, chunk);
          },
        });
        try {
          // Open before the stream can fail: a file that the stream opens by itself may appear after it was removed.
          const target = await open(temporary, 'wx');
          await pipeline(Readable.fromWeb(response.body as never), hashing, target.createWriteStream());
          const seen = hash.digest('hex');
          if (seen !== sha256) throw new Error(`arrived damaged: sha256 is ${seen}`);
          await rename(temporary, path);
        } finally {
          await rm(temporary, { force: true });
        }
      });
    },

    async upload(sha256, path, sizeBytes, signal) {
      await again(`upload of artifact ${sha256}`, signal, async () => {
        const { path: route } = requestOf('putArtifact', { params: { sha256 } });
        const response = await fetch(base + route, {
          method: 'PUT',
          headers: {
            ...headers(),
            'content-type': 'application/octet-stream',
            'content-length': String(sizeBytes),
          },
          body: Readable.toWeb(createReadStream(path)) as never,
          duplex: 'half',
          ...withSignal(signal),
        });
        if (!response.ok) return refuse(response);
        await response.arrayBuffer();
      });
    },

    async findBundle(key, signal) {
      return again(`look-up of bundle ${key}`, signal, async () => {
        const { path: route } = requestOf('findBundle', { params: { key } });
        const response = await fetch(base + route, { headers: headers(), ...withSignal(signal) });
        if (response.status === 404) return null;
        if (!response.ok) return refuse(response);
        return ROUTES.findBundle.response.parse(await response.json());
      });
    },
  };
}
