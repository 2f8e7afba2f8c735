import { setMaxListeners } from 'node:events';
import type { Client, ClientChannel, SFTPWrapper } from 'ssh2';
import { purposeOf } from '../command.js';
import { MachineError } from '../errors.js';
import { LineSplitter, readInto } from '../lines.js';
import { messageOf } from '../../error-message.js';
import type {
  CommandEnd,
  ExecOptions,
  ExecResult,
  LineHandlers,
  RunningCommand,
  Session,
  TerminalChannel,
  UploadOptions,
} from '../protocols.js';
import { type OrLost, SftpParts, WRITES_IN_FLIGHT } from './sftp-parts.js';
import { type PartWriter, uploadFile } from './ssh-upload.js';
import { StreamedParts, bySudo } from './sudo.js';

const EXEC_TIMEOUT_MS = 60_000;
/** What one command may print; far above anything a stage asks for. */
const OUTPUT_MAX_BYTES = 16 * 1024 * 1024;

/** Gathers chunks of any size; a machine that sends single bytes must not cost an object for each. */
class Collected {
  #buffer = Buffer.alloc(0);
  #length = 0;

  add(chunk: Buffer): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(needed, 2 * this.#buffer.length));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    chunk.copy(this.#buffer, this.#length);
    this.#length = needed;
  }

  get text(): string {
    return this.#buffer.toString('utf8', 0, this.#length);
  }
}

/** For messages: what a script of ours is for, without its arguments and its fence; else the beginning of the command. */
const nameOf = (command: string): string =>
  purposeOf(command)?.purpose ?? command.split('\n', 1)[0]?.slice(0, 80) ?? '';

type ExitStatus = Omit<CommandEnd, 'lost'>;

function withoutStatus(command: string): MachineError {
  return new MachineError('connection-lost', `the channel of "${nameOf(command)}" was closed without an exit status`);
}

export class SshSession implements Session {
  readonly lost: AbortSignal;
  readonly #lostBy = new AbortController();
  #lostWhy: string | null = null;
  #sftpOpening: Promise<SFTPWrapper> | null = null;

  readonly #address: string;
  readonly #client: Client;
  readonly #parts: PartWriter;
  readonly #usesSudo: boolean;

  /** @param usesSudo commands and files are root's, by sudo; a terminal is the account's */
  constructor(address: string, client: Client, usesSudo = false) {
    this.#address = address;
    this.#client = client;
    this.#usesSudo = usesSudo;
    const orLost: OrLost = (start) => this.#orLost(start);
    this.#parts = usesSudo
      ? new StreamedParts(this, (command) => this.#channel(command), orLost)
      : new SftpParts(() => this.#sftp(), orLost);
    this.lost = this.#lostBy.signal;
    // Each write under way listens; Node.js takes more than ten for a leak.
    setMaxListeners(2 * WRITES_IN_FLIGHT, this.lost);
    // The first sign is the reason; the others follow from it.
    const lose = (why: string): void => {
      this.#lostWhy ??= why;
      this.#lostBy.abort(this.#lostError());
    };
    client.on('error', (error: Error) => lose(error.message));
    client.on('end', () => lose('the machine ended it'));
    client.on('close', () => lose('it was closed'));
  }

  close(): void {
    this.#lostWhy ??= 'this end closed it';
    this.#client.end();
    this.#client.destroy();
    this.#lostBy.abort(this.#lostError());
  }

  async exec(command: string, options: ExecOptions = {}): Promise<ExecResult> {
    const timeoutMs = options.timeoutMs ?? EXEC_TIMEOUT_MS;
    options.signal?.throwIfAborted();
    const { channel, end } = await this.#channel(command);
    return new Promise((resolve, reject) => {
      const { maxBytes = OUTPUT_MAX_BYTES } = options;
      const collected = { stdout: new Collected(), stderr: new Collected() };
      let size = 0;
      const finish = (act: () => void): void => {
        clearTimeout(timer);
        clearTimeout(silence);
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
      const onLost = (): void => fail(this.#lostError());
      const timer = setTimeout(
        () => fail(new MachineError('command-timeout', `"${nameOf(command)}" ran past ${timeoutMs / 1000} s`)),
        timeoutMs,
      );
      const { silenceMs } = options;
      const listen = (): NodeJS.Timeout | undefined =>
        silenceMs === undefined
          ? undefined
          : setTimeout(
              () =>
                fail(new MachineError('command-timeout', `"${nameOf(command)}" printed nothing for ${silenceMs} ms`)),
              silenceMs,
            );
      const silence = listen();
      options.signal?.addEventListener('abort', onAbort, { once: true });
      this.lost.addEventListener('abort', onLost, { once: true });
      const collect = (name: 'stdout' | 'stderr') => (chunk: Buffer) => {
        silence?.refresh();
        size += chunk.length;
        if (size <= maxBytes) collected[name].add(chunk);
        else fail(new MachineError('command-failed', `"${nameOf(command)}" prints more than ${maxBytes} bytes`));
      };
      channel.on('data', collect('stdout'));
      channel.stderr.on('data', collect('stderr'));
      channel.on('close', () => {
        const ended = end();
        if (ended === null && !this.lost.aborted) fail(withoutStatus(command));
        else if (ended === null) fail(this.#lostError());
        else finish(() => resolve({ stdout: collected.stdout.text, stderr: collected.stderr.text, ...ended }));
      });
      channel.end(options.stdin ?? '');
    });
  }

  async start(command: string, handlers: LineHandlers): Promise<RunningCommand> {
    const { channel, end } = await this.#channel(command);
    const stdout = new LineSplitter((line, continues) => handlers.onStdoutLine(line, continues));
    const stderr = new LineSplitter((line, continues) => handlers.onStderrLine(line, continues));
    let giveUp: (fault: unknown) => void = () => undefined;
    const onFault = (fault: unknown): void => giveUp(fault);
    const endings = [
      readInto(channel, stdout, handlers.backpressure, onFault),
      readInto(channel.stderr, stderr, handlers.backpressure, onFault),
    ];
    let isOver = false;
    const ended = new Promise<CommandEnd>((resolve) => {
      const finish = (how: CommandEnd): void => {
        if (isOver) return;
        isOver = true;
        this.lost.removeEventListener('abort', onEnd);
        for (const endReading of endings) endReading();
        resolve(how);
      };
      const onEnd = (): void => {
        const seen = end();
        finish(seen === null ? { code: null, signal: null, lost: true } : { ...seen, lost: false });
      };
      giveUp = (thrown) => {
        const message = `what "${nameOf(command)}" printed could not be taken: ${messageOf(thrown)}`;
        channel.close();
        finish({ code: null, signal: null, lost: false, fault: new MachineError('output', message, null, thrown) });
      };
      channel.on('close', onEnd);
      this.lost.addEventListener('abort', onEnd, { once: true });
    });
    const writeLine = async (text: string): Promise<void> => {
      // A program that has exited reads nothing; its channel closes when its output was read, which may wait for this.
      const isDeaf = (): boolean => isOver || end() !== null || !channel.writable;
      if (isDeaf() || channel.write(`${text}\n`) || isDeaf()) return;
      await new Promise<void>((resolve) => {
        for (const event of ['drain', 'exit', 'finish']) channel.once(event, () => resolve());
        void ended.then(() => resolve());
      });
    };
    return { ended, writeLine, close: () => channel.close() };
  }

  async openTerminal({ columns, rows }: { columns: number; rows: number }): Promise<TerminalChannel> {
    const channel = await this.#orLost<ClientChannel>((resolve, reject) =>
      this.#client.shell({ term: 'xterm-256color', cols: columns, rows }, (error, opened) =>
        error
          ? reject(new MachineError('connection-lost', `${this.#address}: ${error.message}`, null, error))
          : resolve(opened),
      ),
    );
    channel.on('error', () => undefined);
    channel.stderr.on('error', () => undefined);
    channel.stderr.resume();
    let how = 'the shell ended';
    channel.on('exit', (code: number | null) => {
      how = code === null ? 'a signal ended the shell' : `the shell ended with ${code}`;
    });
    const ended = new Promise<string>((resolve) => {
      channel.on('close', () => resolve(this.lost.aborted ? this.#lostError().message : how));
      this.lost.addEventListener('abort', () => resolve(this.#lostError().message), { once: true });
    });
    return {
      ended,
      onData: (handler) => void channel.on('data', handler),
      pause: () => void channel.pause(),
      resume: () => void channel.resume(),
      write: (data) => {
        if (channel.writable) channel.write(data);
        return channel.writableLength;
      },
      resize: (width, height) => channel.setWindow(height, width, 0, 0),
      close: () => channel.close(),
    };
  }

  upload(localPath: string, remotePath: string, options: UploadOptions): Promise<{ resumedAtBytes: number }> {
    return uploadFile(this, this.#parts, localPath, remotePath, options);
  }

  #sftp(): Promise<SFTPWrapper> {
    this.#sftpOpening ??= this.#orLost<SFTPWrapper>((resolve, reject) =>
      this.#client.sftp((error, sftp) =>
        error
          ? reject(new MachineError('upload', `${this.#address} offers no SFTP: ${error.message}`, null, error))
          : resolve(this.#watched(sftp)),
      ),
    );
    return this.#sftpOpening;
  }

  /** An answer that is no SFTP would otherwise leave the requests before it without an end. */
  #watched(sftp: SFTPWrapper): SFTPWrapper {
    sftp.on('error', (error: Error) => {
      this.#lostWhy ??= `its SFTP answer is malformed: ${error.message}`;
      this.close();
    });
    return sftp;
  }

  /**
   * Starts a command. Its exit status may come in the same packet as the start's confirmation, before
   * the caller that awaits this continues: so it is caught here, and `end` returns it later.
   */
  #channel(command: string): Promise<{ channel: ClientChannel; end: () => ExitStatus | null }> {
    return this.#orLost((resolve, reject) =>
      this.#client.exec(this.#usesSudo ? bySudo(command) : command, (error, channel) => {
        if (error) {
          reject(new MachineError('connection-lost', `${this.#address}: ${error.message}`, null, error));
          return;
        }
        // An 'error' without a listener would end the process; what it means shows by how the channel ends.
        channel.on('error', () => undefined);
        channel.stderr.on('error', () => undefined);
        let status: ExitStatus | null = null;
        channel.on('exit', (code: number | null, signal?: string) => {
          status = { code, signal: signal ?? null };
        });
        resolve({ channel, end: () => status });
      }),
    );
  }

  /** A callback API as a promise that also ends when the connection does. */
  #orLost<T>(start: (resolve: (value: T) => void, reject: (error: Error) => void) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.lost.aborted) {
        reject(this.#lostError());
        return;
      }
      const onLost = (): void => reject(this.#lostError());
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

  #lostError(): MachineError {
    return new MachineError(
      'connection-lost',
      `the connection to ${this.#address} was lost (${this.#lostWhy ?? 'no reason known'})`,
    );
  }
}
