import { open } from 'node:fs/promises';
import type { ClientChannel } from 'ssh2';
import { output, quote, script } from '../command.js';
import { MachineError } from '../errors.js';
import type { ExecResult, Shell, UploadOptions } from '../protocols.js';
import type { OrLost } from './sftp-parts.js';
import type { PartWriter } from './ssh-upload.js';

const CHUNK_BYTES = 256 * 1024;

/**
 * The command as root, by an account that may use sudo without a password. sudo clears the environment: where the
 * connection comes from is kept, by which scripts find the network card that carries it.
 */
export const bySudo = (command: string): string =>
  `exec sudo -n -- env SSH_CONNECTION="$SSH_CONNECTION" /bin/sh -c ${quote(command)}`;

/** What a first command by sudo says of an account that may not. @returns null = it may */
export function refusalOfSudo(address: string, user: string, { code, stderr }: ExecResult): MachineError | null {
  if (code === 0) return null;
  const said = stderr.trim().split('\n')[0]?.slice(0, 200) ?? '';
  return new MachineError(
    'settings',
    `${address}: ${user} may not use sudo without a password${said === '' ? '' : `: ${said}`}`,
    `install sudo, and write "${user} ALL=(ALL) NOPASSWD: ALL" to /etc/sudoers.d/peerlab on the machine; or log in as root`,
  );
}

/** Bytes through the standard input of a command, which runs as root: SFTP would write as the account. */
export class StreamedParts implements PartWriter {
  readonly #shell: Shell;
  readonly #start: (command: string) => Promise<{ channel: ClientChannel; end: () => { code: number | null } | null }>;
  readonly #orLost: OrLost;

  constructor(
    shell: Shell,
    start: (command: string) => Promise<{ channel: ClientChannel; end: () => { code: number | null } | null }>,
    orLost: OrLost,
  ) {
    this.#shell = shell;
    this.#start = start;
    this.#orLost = orLost;
  }

  async size(remotePath: string, signal?: AbortSignal): Promise<number> {
    const body = `stat -c %s -- ${quote(remotePath)} 2>/dev/null || echo 0`;
    const text = await output(this.#shell, script('part-size', { path: remotePath }, body), signal ? { signal } : {});
    const size = Number(text.trim());
    return Number.isSafeInteger(size) && size > 0 ? size : 0;
  }

  async write(localPath: string, remotePath: string, startBytes: number, options: UploadOptions): Promise<void> {
    const to = quote(remotePath);
    const body = startBytes > 0 ? `cat >> ${to}` : `umask 077; rm -f -- ${to}; cat > ${to}`;
    const { channel, end } = await this.#start(script('write-part', { path: remotePath, from: startBytes }, body));
    let said = '';
    channel.resume();
    channel.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(0, 1000);
    });
    const closed = this.#orLost<void>((resolve) => void channel.once('close', () => resolve()));
    // A connection that is lost while the file is read is met at the next wait for this.
    closed.catch(() => undefined);
    const file = await open(localPath);
    try {
      let at = startBytes;
      while (at < options.sizeBytes && end() === null) {
        options.signal?.throwIfAborted();
        const length = Math.min(CHUNK_BYTES, options.sizeBytes - at);
        const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
        if (bytesRead !== length) throw new MachineError('upload', `${localPath} is shorter than expected`);
        options.check?.();
        at += length;
        if (!channel.write(buffer)) await this.#roomFor(channel, closed, options.signal);
      }
      channel.end();
      await closed;
    } catch (error) {
      channel.close();
      throw error;
    } finally {
      await file.close();
    }
    if (end()?.code !== 0) {
      throw new MachineError('upload', `cannot write ${remotePath}: ${said.trim() || 'the command ended early'}`);
    }
  }

  /** Resolves when the machine takes more, or the command is over. */
  async #roomFor(channel: ClientChannel, closed: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    let onAbort: () => void = () => undefined;
    const room = new Promise<void>((resolve, reject) => {
      onAbort = () => reject(signal?.reason as Error);
      signal?.addEventListener('abort', onAbort, { once: true });
      channel.once('drain', () => resolve());
    });
    try {
      await Promise.race([room, closed]);
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }
}
