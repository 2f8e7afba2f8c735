import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Client, ClientChannel, SFTPWrapper } from 'ssh2';
import { output, quote, script } from '../command.js';
import { MachineError } from '../errors.js';
import { LineSplitter, readInto } from '../lines.js';
import type {
  CommandEnd,
  ExecOptions,
  ExecResult,
  LineHandlers,
  RunningCommand,
  Session,
  UploadOptions,
} from '../protocols.js';

/** Largest write that OpenSSH's server takes in one request. */
const CHUNK_BYTES = 255 * 1024;
/** Writes under way at once; more only fills the machine's socket buffers. */
const WRITES_IN_FLIGHT = 8;
const EXEC_TIMEOUT_MS = 60_000;
/** What one command may print; far above anything a stage asks for. */
const OUTPUT_MAX_BYTES = 16 * 1024 * 1024;

type ExitStatus = Omit<CommandEnd, 'lost'>;

function withoutStatus(command: string): MachineError {
  const what = command.split('\n', 1)[0]?.slice(0, 80) ?? '';
  return new MachineError('connection-lost', `the channel of "${what}" was closed without an exit status`);
}

export class SshSession implements Session {
  readonly lost: AbortSignal;
  private readonly lostBy = new AbortController();
  private lostWhy: string | null = null;
  private sftpOpening: Promise<SFTPWrapper> | null = null;

  constructor(
    private readonly address: string,
    private readonly client: Client,
  ) {
    this.lost = this.lostBy.signal;
    // The first sign is the reason; the others follow from it.
    const lose = (why: string): void => {
      this.lostWhy ??= why;
      this.lostBy.abort(this.lostError());
    };
    client.on('error', (error: Error) => lose(error.message));
    client.on('end', () => lose('the machine ended it'));
    client.on('close', () => lose('it was closed'));
  }

  close(): void {
    this.lostWhy ??= 'this end closed it';
    this.client.end();
    this.client.destroy();
    this.lostBy.abort(this.lostError());
  }

  async exec(command: string, options: ExecOptions = {}): Promise<ExecResult> {
    const timeoutMs = options.timeoutMs ?? EXEC_TIMEOUT_MS;
    options.signal?.throwIfAborted();
    const { channel, end } = await this.channel(command);
    return new Promise((resolve, reject) => {
      const chunks: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
      let size = 0;
      const finish = (act: () => void): void => {
        clearTimeout(timer);
        options.signal?.removeEventListener('abort', onAbort);
        this.lost.removeEventListener('abort', onLost);
        act();
      };
      const fail = (error: Error): void =>
        finish(() => {
          channel.close();
          reject(error);
        });
      const onAbort = (): void => fail(options.signal?.reason as Error);
      const onLost = (): void => fail(this.lostError());
      const timer = setTimeout(
        () => fail(new MachineError('command-timeout', `"${command.slice(0, 80)}" ran past ${timeoutMs} ms`)),
        timeoutMs,
      );
      options.signal?.addEventListener('abort', onAbort, { once: true });
      this.lost.addEventListener('abort', onLost, { once: true });
      const collect = (name: 'stdout' | 'stderr') => (chunk: Buffer) => {
        size += chunk.length;
        if (size > OUTPUT_MAX_BYTES) fail(new MachineError('command-failed', 'the command prints without end'));
        else chunks[name].push(chunk);
      };
      channel.on('data', collect('stdout'));
      channel.stderr.on('data', collect('stderr'));
      channel.on('close', () => {
        const text = (name: 'stdout' | 'stderr'): string => Buffer.concat(chunks[name]).toString('utf8');
        const ended = end();
        if (ended === null && !this.lost.aborted) fail(withoutStatus(command));
        else if (ended === null) fail(this.lostError());
        else finish(() => resolve({ stdout: text('stdout'), stderr: text('stderr'), ...ended }));
      });
      channel.end(options.stdin ?? '');
    });
  }

  async start(command: string, handlers: LineHandlers): Promise<RunningCommand> {
    const { channel, end } = await this.channel(command);
    const stdout = new LineSplitter((line, continues) => handlers.onStdoutLine(line, continues));
    const stderr = new LineSplitter((line, continues) => handlers.onStderrLine(line, continues));
    const endings = [readInto(channel, stdout, handlers.flow), readInto(channel.stderr, stderr, handlers.flow)];
    const ended = new Promise<CommandEnd>((resolve) => {
      const finish = (): void => {
        const seen = end();
        this.lost.removeEventListener('abort', finish);
        for (const endReading of endings) endReading();
        resolve(seen === null ? { code: null, signal: null, lost: true } : { ...seen, lost: false });
      };
      channel.on('close', finish);
      this.lost.addEventListener('abort', finish, { once: true });
    });
    return { ended, writeLine: (text) => channel.write(`${text}\n`), close: () => channel.close() };
  }

  async upload(localPath: string, remotePath: string, options: UploadOptions): Promise<{ resumedAtBytes: number }> {
    const part = `${remotePath}.part`;
    const sftp = await this.sftp();
    let resumedAtBytes = await this.matchingPart(sftp, localPath, part, options);
    await this.writeFrom(sftp, localPath, part, resumedAtBytes, options);
    let seen = await this.place(part, remotePath, options);
    if (seen !== options.sha256 && resumedAtBytes > 0) {
      resumedAtBytes = 0;
      await this.writeFrom(sftp, localPath, part, 0, options);
      seen = await this.place(part, remotePath, options);
    }
    if (seen !== options.sha256) {
      throw new MachineError(
        'digest',
        `${remotePath} arrived damaged: expected sha256 ${options.sha256}, the machine reads ${seen}`,
        'check the disk and the network of the machine',
      );
    }
    return { resumedAtBytes };
  }

  /** Bytes of an earlier, interrupted upload that can be kept. */
  private async matchingPart(
    sftp: SFTPWrapper,
    localPath: string,
    part: string,
    options: UploadOptions,
  ): Promise<number> {
    const size = await this.orLost<number>((resolve) => {
      sftp.stat(part, (error, stats) => resolve(error === undefined || error === null ? stats.size : 0));
    });
    if (size === 0 || size > options.sizeBytes) return 0;
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(localPath, { end: size - 1 })) hash.update(chunk as Buffer);
    return hash.digest('hex') === (await this.digest(part, options.signal)) ? size : 0;
  }

  private async writeFrom(
    sftp: SFTPWrapper,
    localPath: string,
    remotePath: string,
    startBytes: number,
    options: UploadOptions,
  ): Promise<void> {
    const failed = (what: string) => (error: Error) =>
      new MachineError('upload', `${what} ${remotePath}: ${error.message}`, null, error);
    const handle = await this.orLost<Buffer>((resolve, reject) => {
      sftp.open(remotePath, startBytes > 0 ? 'r+' : 'w', { mode: 0o600 }, (error, opened) =>
        error ? reject(failed('cannot create')(error)) : resolve(opened),
      );
    });
    const file = await open(localPath);
    try {
      let position = startBytes;
      const worker = async (): Promise<void> => {
        while (position < options.sizeBytes) {
          options.signal?.throwIfAborted();
          const at = position;
          const length = Math.min(CHUNK_BYTES, options.sizeBytes - at);
          position += length;
          const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
          if (bytesRead !== length) throw new MachineError('upload', `${localPath} is shorter than expected`);
          await this.orLost<void>((resolve, reject) =>
            sftp.write(handle, buffer, 0, length, at, (error) =>
              error ? reject(failed('cannot write')(error)) : resolve(),
            ),
          );
        }
      };
      await Promise.all(Array.from({ length: WRITES_IN_FLIGHT }, worker));
      await this.orLost<void>((resolve, reject) =>
        sftp.close(handle, (error) => (error ? reject(failed('cannot close')(error)) : resolve())),
      );
    } finally {
      await file.close();
    }
  }

  private async digest(remotePath: string, signal?: AbortSignal): Promise<string> {
    const command = script('digest', { path: remotePath }, `sha256sum < ${quote(remotePath)}`);
    const text = await output(this, command, signal === undefined ? {} : { signal });
    return text.trim().split(/\s+/)[0] ?? '';
  }

  /** Renames the part when its digest is right; gives the digest that the machine read. One command: each costs. */
  private async place(part: string, remotePath: string, options: UploadOptions): Promise<string> {
    const [from, to] = [quote(part), quote(remotePath)];
    const body = `sum=$(sha256sum < ${from}) && echo "$sum" || exit 1
[ "\${sum%% *}" != ${options.sha256} ] || { chmod ${options.mode.toString(8)} ${from} && mv -f ${from} ${to}; }`;
    const command = script('place-file', { from: part, to: remotePath, sha256: options.sha256 }, body);
    const said = await output(
      this,
      options.placing?.(command) ?? command,
      options.signal === undefined ? {} : { signal: options.signal },
    );
    return said.trim().split(/\s+/)[0] ?? '';
  }

  private sftp(): Promise<SFTPWrapper> {
    this.sftpOpening ??= this.orLost<SFTPWrapper>((resolve, reject) =>
      this.client.sftp((error, sftp) =>
        error
          ? reject(new MachineError('upload', `${this.address} offers no SFTP: ${error.message}`, null, error))
          : resolve(sftp),
      ),
    );
    return this.sftpOpening;
  }

  /**
   * Starts a command. Its exit status may come in the same packet as the start's confirmation, before
   * whoever awaits this goes on: so it is caught here, and `end` gives it later.
   */
  private channel(command: string): Promise<{ channel: ClientChannel; end: () => ExitStatus | null }> {
    return this.orLost((resolve, reject) =>
      this.client.exec(command, (error, channel) => {
        if (error) {
          reject(new MachineError('connection-lost', `${this.address}: ${error.message}`, null, error));
          return;
        }
        let status: ExitStatus | null = null;
        channel.on('exit', (code: number | null, signal?: string) => {
          status = { code, signal: signal ?? null };
        });
        resolve({ channel, end: () => status });
      }),
    );
  }

  /** A callback API as a promise that also ends when the connection does. */
  private orLost<T>(start: (resolve: (value: T) => void, reject: (error: Error) => void) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.lost.aborted) {
        reject(this.lostError());
        return;
      }
      const onLost = (): void => reject(this.lostError());
      this.lost.addEventListener('abort', onLost, { once: true });
      const done = (): void => this.lost.removeEventListener('abort', onLost);
      try {
        start(
          (value) => {
            done();
            resolve(value);
          },
          (error) => {
            done();
            reject(error);
          },
        );
      } catch (error) {
        done();
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  private lostError(): MachineError {
    return new MachineError(
      'connection-lost',
      `the connection to ${this.address} was lost (${this.lostWhy ?? 'no reason known'})`,
    );
  }
}
