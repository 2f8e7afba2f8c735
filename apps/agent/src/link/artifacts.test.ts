import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Artifacts } from '../job/artifacts.js';
import { createHttpArtifacts } from './artifacts.js';

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

let folder: string;
let server: Server;
let artifacts: Artifacts;
let requests: number;
/** Bytes that the controller sends, how often, and how they are encoded. */
let answer: { piece: Buffer; times: number; gzip: boolean };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'artifacts-'));
  requests = 0;
  server = createServer((_request, response) => {
    requests += 1;
    const { piece, times, gzip } = answer;
    if (gzip) {
      response.setHeader('content-encoding', 'gzip');
      response.end(gzipSync(Buffer.concat(Array.from({ length: times }, () => piece))));
      return;
    }
    let sent = 0;
    const send = (): void => {
      while (sent < times) {
        sent += 1;
        if (!response.write(piece)) {
          response.once('drain', send);
          return;
        }
      }
      response.end();
    };
    send();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  artifacts = createHttpArtifacts({ controller: `http://127.0.0.1:${port}`, readToken: () => 'plk_agent_test' });
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  rmSync(folder, { recursive: true, force: true });
});

describe('a download', () => {
  const piece = Buffer.alloc(100_000, 'x');

  it('is what was asked for', async () => {
    answer = { piece, times: 1, gzip: false };
    await artifacts.download(sha256(piece), join(folder, 'a'), undefined, piece.length);
    expect(readFileSync(join(folder, 'a')).equals(piece)).toBe(true);
    expect(readdirSync(folder)).toEqual(['a']);
  });

  it.each([false, true])('stops at the first byte too many and leaves nothing (compressed: %s)', async (gzip) => {
    // Without an end, or 1000 times as large as it was on the wire.
    answer = { piece, times: gzip ? 100 : Number.POSITIVE_INFINITY, gzip };
    const path = join(folder, 'a');
    await expect(artifacts.download(sha256(piece), path, undefined, piece.length)).rejects.toThrow(
      'it has more than 100000 bytes',
    );
    // Trying again would not help.
    expect(requests).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
  });
});
