import { open } from 'node:fs/promises';
import type { SFTPWrapper } from 'ssh2';
import { MachineError } from '../errors.js';
import type { UploadOptions } from '../protocols.js';
import type { PartWriter } from './ssh-upload.js';

/** ssh2 sends more to a server that is not OpenSSH's in pieces, one after the other, and asks nobody before each. */
const CHUNK_BYTES = 31 * 1024;
/** Writes under way at once; more only fills the machine's socket buffers. */
export const WRITES_IN_FLIGHT = 64;

/** A callback API as a promise that also ends when the connection does. */
export type OrLost = <T>(start: (resolve: (value: T) => void, reject: (error: Error) => void) => void) => Promise<T>;

/** Bytes by SFTP, as the account that logs in. */
export class SftpParts implements PartWriter {
  readonly #open: () => Promise<SFTPWrapper>;
  readonly #orLost: OrLost;

  constructor(open: () => Promise<SFTPWrapper>, orLost: OrLost) {
    this.#open = open;
    this.#orLost = orLost;
  }

  async size(remotePath: string): Promise<number> {
    const sftp = await this.#open();
    return this.#orLost<number>((resolve) => {
      sftp.stat(remotePath, (error, stats) => resolve(error === undefined || error === null ? stats.size : 0));
    });
  }

  async write(localPath: string, remotePath: string, startBytes: number, options: UploadOptions): Promise<void> {
    const sftp = await this.#open();
    const failed = (what: string) => (error: Error) =>
      new MachineError('upload', `${what} ${remotePath}: ${error.message}`, null, error);
    const handle = await this.#orLost<Buffer>((resolve, reject) => {
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
          options.check?.();
          await this.#orLost<void>((resolve, reject) =>
            sftp.write(handle, buffer, 0, length, at, (error) =>
              error ? reject(failed('cannot write')(error)) : resolve(),
            ),
          );
        }
      };
      await Promise.all(Array.from({ length: WRITES_IN_FLIGHT }, worker));
      await this.#orLost<void>((resolve, reject) =>
        sftp.close(handle, (error) => (error ? reject(failed('cannot close')(error)) : resolve())),
      );
    } finally {
      await file.close();
    }
  }
}
