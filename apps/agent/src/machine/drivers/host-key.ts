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

/**
 * The public key that answers at an address, without logging in: what a person compares before it is pinned. Rejects
 * with MachineError('unreachable').
 */
export async function readHostKey(
  host: string,
  port: number,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<HostKey> {
  const address = `${host}:${port}`;
  const refused = (why: string): MachineError =>
    new MachineError(
      'unreachable',
      `${address} does not answer by SSH: ${why}`,
      'check --host and --port, and that sshd runs',
    );
  const socket = await openSpeakingSocket(host, port, timeoutMs, signal).catch((error: Error) => {
    signal?.throwIfAborted();
    throw refused(error.message);
  });
  const client = new Client();
  try {
    return await new Promise<HostKey>((resolve, reject) => {
      let seen: Buffer | null = null;
      const end = (why: string): void => {
        if (seen === null) return reject(refused(why));
        const type = seen.subarray(4, 4 + seen.readUInt32BE(0)).toString('latin1');
        resolve({ publicKey: `${type} ${seen.toString('base64')}`, fingerprint: fingerprintOf(seen) });
      };
      client.on('error', (error) => end(error.message));
      client.on('close', () => end('the connection was closed'));
      client.connect({
        sock: socket,
        username: 'none',
        readyTimeout: timeoutMs,
        // Nothing is sent to a machine that nobody has confirmed.
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
