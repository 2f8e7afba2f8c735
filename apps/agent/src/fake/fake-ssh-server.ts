import type { AddressInfo } from 'node:net';
import ssh2 from 'ssh2';
import type { Connection, ServerChannel, SFTPWrapper } from 'ssh2';
import type { TerminalSize } from '@peerlab/contracts';

export interface FakeChannel {
  write(text: string | Buffer): void;
  writeError(text: string | Buffer): void;
  /** Reads no more of what is written to the command's standard input. */
  pauseInput(): void;
  /** Resolves when the client has room for more. */
  drained(): Promise<void>;
  onLine(handler: (line: string) => void): void;
  readonly input: Promise<string>;
  exit(code: number): void;
}

/** One SSH connection to a fake machine. */
export interface FakeConnection {
  /** Fence of the latest command that named one. */
  fence: number | null;
}

/** What the machine behind the sshd does. */
export interface FakeServices {
  /** Without a running kernel no connection is answered. */
  isUp: () => boolean;
  execute: (command: string, channel: FakeChannel, connection: FakeConnection) => void;
  serveFiles: (sftp: SFTPWrapper, connection: FakeConnection) => void;
  /** A login shell behind a terminal. @param size of it now */
  shell: (channel: ServerChannel, size: () => TerminalSize) => void;
}

export interface KeyPair {
  private: string;
  public: string;
}

/** Now and then ssh2 makes a pair that it cannot read itself. */
function makeKeyPair(): KeyPair {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519');
    const halves = [pair.private, pair.public].map((text) => ssh2.utils.parseKey(text));
    if (!halves.some((half) => half instanceof Error)) return pair;
  }
}

/** The sshd of a fake machine: one key pair lets in, everybody else is refused. */
export class FakeSshServer {
  readonly clientKey = makeKeyPair();
  #hostKeys = makeKeyPair();
  #server: ssh2.Server | null = null;
  readonly #connections = new Set<Connection>();
  #boundPort = 0;
  /** Answers also while no kernel runs, as the sshd of an initramfs does. */
  answersAlways = false;
  /** Connections so far. */
  connectionCount = 0;
  /** Login shells that are open. */
  shellCount = 0;

  readonly #services: FakeServices;

  constructor(services: FakeServices) {
    this.#services = services;
  }

  get port(): number {
    return this.#boundPort;
  }

  /** Public host key as OpenSSH writes it. */
  get hostKey(): string {
    return this.#hostKeys.public.split(' ').slice(0, 2).join(' ');
  }

  async listen(): Promise<void> {
    const allowed = ssh2.utils.parseKey(this.clientKey.public);
    if (allowed instanceof Error) throw allowed;
    const server = new ssh2.Server({ hostKeys: [this.#hostKeys.private] }, (connection) => {
      this.connectionCount += 1;
      this.#connections.add(connection);
      connection.on('close', () => this.#connections.delete(connection));
      connection.on('error', () => undefined);
      // A machine without a kernel does not answer.
      if (!this.#services.isUp() && !this.answersAlways) {
        connection.end();
        return;
      }
      connection.on('authentication', (context) => {
        const same =
          context.method === 'publickey' &&
          context.key.algo === allowed.type &&
          context.key.data.equals(allowed.getPublicSSH());
        if (!same) {
          context.reject(['publickey']);
        } else if (context.method === 'publickey' && context.signature !== undefined) {
          if (allowed.verify(context.blob ?? Buffer.alloc(0), context.signature)) context.accept();
          else context.reject();
        } else {
          context.accept();
        }
      });
      const known: FakeConnection = { fence: null };
      connection.on('session', (accept) => {
        const session = accept();
        session.on('exec', (acceptExec, _reject, info) => {
          const channel = acceptExec();
          this.#services.execute(info.command, wrapChannel(channel), known);
        });
        let size: TerminalSize = { columns: 80, rows: 24 };
        session.on('pty', (acceptPty, _reject, { cols, rows }) => {
          size = { columns: cols, rows };
          acceptPty?.();
        });
        session.on('window-change', (acceptChange, _reject, { cols, rows }) => {
          size = { columns: cols, rows };
          acceptChange?.();
        });
        session.on('shell', (acceptShell) => {
          const channel = acceptShell();
          this.shellCount += 1;
          channel.on('close', () => (this.shellCount -= 1));
          this.#services.shell(channel, () => size);
        });
        session.on('sftp', (acceptSftp) => this.#services.serveFiles(acceptSftp(), known));
      });
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#boundPort, '127.0.0.1', resolve));
    this.#boundPort = (server.address() as AddressInfo).port;
  }

  get connectionsOpen(): number {
    return this.#connections.size;
  }

  /** Breaks every connection; new ones are taken. */
  dropAll(): void {
    for (const connection of this.#connections) connection.end();
    this.#connections.clear();
  }

  get hostKeys(): KeyPair {
    return this.#hostKeys;
  }

  /** As if the machine had been reinstalled, or as it was before. */
  async changeHostKey(keys = makeKeyPair()): Promise<void> {
    await this.close();
    this.#hostKeys = keys;
    await this.listen();
  }

  async close(): Promise<void> {
    this.dropAll();
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

function wrapChannel(channel: ServerChannel): FakeChannel {
  const lineHandlers: ((line: string) => void)[] = [];
  let text = '';
  let rest = '';
  channel.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    rest += chunk.toString();
    for (let end = rest.indexOf('\n'); end !== -1; end = rest.indexOf('\n')) {
      for (const handler of lineHandlers) handler(rest.slice(0, end));
      rest = rest.slice(end + 1);
    }
  });
  channel.on('error', () => undefined);
  const input = new Promise<string>((resolve) => {
    channel.on('end', () => resolve(text));
    channel.on('close', () => resolve(text));
  });
  let closed = false;
  channel.on('close', () => {
    closed = true;
  });
  return {
    input,
    write: (line) => {
      if (!closed) channel.write(line);
    },
    writeError: (line) => {
      if (!closed) channel.stderr.write(line);
    },
    pauseInput: () => void channel.pause(),
    drained: async () => {
      if (closed || !channel.writableNeedDrain) return;
      await new Promise<void>((resolve) => {
        channel.once('drain', () => resolve());
        channel.once('close', () => resolve());
      });
    },
    onLine: (handler) => {
      lineHandlers.push(handler);
    },
    exit: (code) => {
      if (closed) return;
      channel.exit(code);
      channel.end();
    },
  };
}
