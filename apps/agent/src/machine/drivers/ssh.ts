import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Client, type ClientErrorExtensions, type ConnectConfig, type ServerHostKeyAlgorithm } from 'ssh2';
import { MachineError } from '../errors.js';
import type { Access, Session } from '../protocols.js';
import { openSpeakingSocket } from './speaking-socket.js';
import { SshSession } from './ssh-session.js';
import { refusalOfSudo } from './sudo.js';
import { z } from 'zod';
import { defineDriver } from '../driver.js';

interface SshSettings {
  host: string;
  port: number;
  user: string;
  /** Commands and files are root's, by sudo without a password. */
  sudo?: boolean;
  privateKeyFile: string;
  /** Pinned public key as OpenSSH writes it: `ssh-ed25519 AAAA…`. */
  hostKey: string;
}

/** Alive as long as one of six probes, 5 s apart, is answered: emulated machines stall for seconds. */
const KEEPALIVE = { keepaliveInterval: 5_000, keepaliveCountMax: 6 };

/** OpenSSH's form of a public key's fingerprint. */
export function fingerprintOf(key: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

function parseHostKey(text: string): { type: ServerHostKeyAlgorithm; blob: Buffer } {
  const [type = '', base64 = ''] = text.trim().split(/\s+/);
  const blob = Buffer.from(base64, 'base64');
  const typeLength = blob.length >= 4 ? blob.readUInt32BE(0) : 0;
  if (blob.subarray(4, 4 + typeLength).toString() !== type || type === '') {
    throw new MachineError(
      'settings',
      'shell.hostKey is not a public key in OpenSSH form',
      'write "ssh-ed25519 AAAA…" as ssh-keyscan prints it',
    );
  }
  return { type: type as ServerHostKeyAlgorithm, blob };
}

const sameKey = (a: Uint8Array, b: Uint8Array): boolean =>
  timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());

/** Shell and files over SSH, with the host key pinned. */
export function createSshAccess(settings: SshSettings): Access {
  const address = `${settings.user}@${settings.host}:${settings.port}`;
  const pinned = parseHostKey(settings.hostKey);
  return {
    address,
    async connect({ timeoutMs, signal }) {
      signal?.throwIfAborted();
      const privateKey = await readFile(settings.privateKeyFile).catch((error: NodeJS.ErrnoException) => {
        throw new MachineError(
          'settings',
          `the private key ${settings.privateKeyFile} cannot be read (${error.code ?? error.message})`,
          'correct shell.privateKeyFile or its permissions',
        );
      });
      let seen: Buffer | null = null;
      const socket = await openSpeakingSocket(settings.host, settings.port, timeoutMs, signal).catch(
        (error: unknown) => {
          signal?.throwIfAborted();
          throw unreachable(address, error instanceof Error ? error.message : String(error), null);
        },
      );
      const config: ConnectConfig = {
        sock: socket,
        username: settings.user,
        privateKey,
        readyTimeout: timeoutMs,
        ...KEEPALIVE,
        hostVerifier: (key: Buffer) => {
          seen = key;
          return sameKey(key, pinned.blob);
        },
        algorithms: { serverHostKey: { prepend: pinned.type, append: [], remove: [] } },
      };
      const opening = openSession(
        { address, config, usesSudo: settings.sudo === true },
        () => describeKeyChange(address, pinned.blob, seen),
        signal,
      );
      socket.resume();
      const session = await opening;
      if (settings.sudo !== true) return session;
      const refusal = refusalOfSudo(
        address,
        settings.user,
        await session.exec('true', { timeoutMs, ...(signal && { signal }) }),
      );
      if (refusal === null) return session;
      session.close();
      throw refusal;
    },
  };
}

function describeKeyChange(address: string, pinned: Buffer, seen: Buffer | null): MachineError | null {
  if (seen === null || sameKey(seen, pinned)) return null;
  return new MachineError(
    'host-key-changed',
    `the host key of ${address} changed: expected ${fingerprintOf(pinned)}, seen ${fingerprintOf(seen)}`,
    'if the machine was reinstalled, put its new key into shell.hostKey; if not, another machine answers at this address',
  );
}

function openSession(
  { address, config, usesSudo }: { address: string; config: ConnectConfig; usesSudo: boolean },
  keyChange: () => MachineError | null,
  signal?: AbortSignal,
): Promise<Session> {
  const client = new Client();
  return new Promise<Session>((resolve, reject) => {
    let settled = false;
    const settle = (act: () => void): void => {
      if (settled) return;
      settled = true;
      signal?.removeEventListener('abort', onAbort);
      act();
    };
    const fail = (error: Error): void =>
      settle(() => {
        client.destroy();
        reject(error);
      });
    const onAbort = (): void => fail(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
    signal?.addEventListener('abort', onAbort, { once: true });
    // Stays for the life of the client: an 'error' without a listener would end the process.
    client.on('error', (error: Error & ClientErrorExtensions) =>
      fail(keyChange() ?? describeFailure(address, config, error)),
    );
    client.on('close', () => fail(keyChange() ?? unreachable(address, 'the connection was closed', null)));
    client.on('ready', () =>
      settle(() => {
        // Nagle and delayed acknowledgements together cost 40 ms per request.
        client.setNoDelay(true);
        resolve(new SshSession(address, client, usesSudo));
      }),
    );
    client.connect(config);
  });
}

function describeFailure(address: string, config: ConnectConfig, error: Error & ClientErrorExtensions): MachineError {
  if (error.level === 'client-authentication') {
    return new MachineError(
      'auth-refused',
      `${address} refused the key`,
      `put the public half of the configured private key into ~${config.username ?? ''}/.ssh/authorized_keys on the machine`,
      error,
    );
  }
  return unreachable(address, error.message, error);
}

function unreachable(address: string, why: string, cause: Error | null): MachineError {
  return new MachineError(
    'unreachable',
    `${address} does not answer by SSH: ${why}`,
    'check that the machine is on, that sshd runs, and shell.host and shell.port',
    cause ?? undefined,
  );
}

export const sshAccess = defineDriver({
  schema: z.strictObject({
    driver: z.literal('ssh'),
    host: z.string().min(1),
    port: z.number().int().min(1).max(65535).default(22),
    user: z.string().min(1).default('root'),
    sudo: z.boolean().default(false),
    privateKeyFile: z.string().min(1),
    hostKey: z
      .string()
      .regex(/^(ssh|ecdsa)-[a-z0-9-]+ [A-Za-z0-9+/=]+/, 'expected a public key in OpenSSH form: "ssh-ed25519 AAAA…"'),
  }),
  paths: ['privateKeyFile'],
  create: (settings) => createSshAccess(settings),
});
