import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'ssh2';
import { MachineError } from '../errors.js';
import { fingerprintOf } from './ssh.js';
import { openSpeakingSocket } from './speaking-socket.js';

export interface HostKey {
  /** As OpenSSH writes it: `ssh-ed25519 AAAA…`. */
  publicKey: string;
  /** `SHA256:…`, as the machine's owner reads it with ssh-keygen -l. */
  fingerprint: string;
}

/** A server that turned a connection away, as one with too many of them does, is asked again after this. */
const AGAIN_AFTER_MS = 1_000;

/**
 * The public key that answers at an address, without logging in: what a person compares before it is pinned. A connection
 * that was accepted and closed again says nothing about the server, which may have too many at the moment: further ones are
 * made until `timeoutMs` are over. Rejects with MachineError('unreachable'), at once where none is accepted.
 */
export async function readHostKey(
  host: string,
  port: number,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<HostKey> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await askOnce(host, port, Math.max(1, deadline - performance.now()), signal);
    } catch (error) {
      signal?.throwIfAborted();
      const { code, message } = error as NodeJS.ErrnoException;
      const accepted = code === undefined || code === 'ECONNRESET';
      if (accepted && performance.now() + AGAIN_AFTER_MS < deadline) {
        await delay(AGAIN_AFTER_MS, undefined, { signal });
        continue;
      }
      throw new MachineError(
        'unreachable',
        `${host}:${port} does not answer by SSH: ${message}`,
        'check --host and --port, and that sshd runs',
      );
    }
  }
}

/** Over one connection. Rejects with the error of the socket, which has a code where no connection came about. */
async function askOnce(host: string, port: number, timeoutMs: number, signal?: AbortSignal): Promise<HostKey> {
  const socket = await openSpeakingSocket(host, port, timeoutMs, signal);
  const client = new Client();
  try {
    return await new Promise<HostKey>((resolve, reject) => {
      let seen: Buffer | null = null;
      const end = (why: string): void => {
        if (seen === null) return reject(new Error(why));
        const type = seen.subarray(4, 4 + seen.readUInt32BE(0)).toString('latin1');
        resolve({ publicKey: `${type} ${seen.toString('base64')}`, fingerprint: fingerprintOf(seen) });
      };
      client.on('error', (error) => end(error.message));
      client.on('close', () => end('the connection was closed'));
      client.connect({
        sock: socket,
        username: 'none',
        readyTimeout: timeoutMs,
        // Nothing is sent before the key is confirmed.
        hostVerifier: (key: Buffer) => {
          seen = key;
          return false;
        },
        algorithms: { serverHostKey: ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'rsa-sha2-512', 'rsa-sha2-256'] },
      });
      socket.resume();
    });
  } finally {
    client.destroy();
  }
}
