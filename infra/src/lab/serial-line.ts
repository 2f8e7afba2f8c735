import { rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';

/**
 * The serial line between a server and its BMC. QEMU connects to a UNIX socket each time it starts, the BMC to a TCP port
 * once for its life: what one sends goes to the other, and is lost while that is away, as on a wire.
 */
export class SerialLine {
  readonly #ends: (Socket | null)[] = [null, null];
  readonly #servers: Server[] = [];

  async open(socketPath: string, tcpPort: number): Promise<void> {
    await rm(socketPath, { force: true });
    await this.#listen(0, socketPath);
    await this.#listen(1, tcpPort);
  }

  async close(): Promise<void> {
    for (const end of this.#ends) end?.destroy();
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }

  async #listen(side: 0 | 1, where: string | number): Promise<void> {
    const server = createServer((socket) => {
      this.#ends[side]?.destroy();
      this.#ends[side] = socket;
      socket.setNoDelay(true);
      socket.on('data', (chunk: Buffer) => this.#ends[1 - side]?.write(chunk));
      socket.on('error', () => undefined);
      socket.on('close', () => {
        if (this.#ends[side] === socket) this.#ends[side] = null;
      });
    });
    this.#servers.push(server);
    if (typeof where === 'string') server.listen(where);
    else server.listen(where, '127.0.0.1');
    await once(server, 'listening');
  }
}
