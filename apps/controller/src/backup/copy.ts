import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { Client, Connection, Submittable } from 'pg';

/** What `pg` calls of a query and its types do not know. */
interface CopyConnection extends Connection {
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

/** `COPY … TO STDOUT` or `COPY … FROM STDIN` as a query of `pg`. */
abstract class Copy implements Submittable {
  readonly done: Promise<void>;
  readonly #text: string;
  #resolve: () => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  protected fault: Error | null = null;

  constructor(text: string) {
    this.#text = text;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  submit(connection: Connection): void {
    (connection as CopyConnection).query(this.#text);
  }

  handleError(error: Error, connection: Connection): void {
    connection.stream.resume();
    this.#reject(this.fault ?? error);
  }

  handleReadyForQuery(connection: Connection): void {
    // A target that has its last row may never drain: waiting for that would leave the connection paused.
    connection.stream.resume();
    if (this.fault === null) this.#resolve();
    else this.#reject(this.fault);
  }

  handleCommandComplete(): void {
    // The end is when the server is ready for the next query.
  }
}

class CopyOut extends Copy {
  readonly #target: Writable;

  constructor(text: string, target: Writable) {
    super(text);
    this.#target = target;
    target.on('error', (error) => (this.fault ??= error));
  }

  handleCopyData({ chunk }: { chunk: Buffer }, connection: CopyConnection): void {
    // A copy: the parser reuses its buffer before the chunk is written.
    if (this.fault !== null || this.#target.write(Buffer.from(chunk)) || connection.stream.isPaused()) return;
    // The server waits while the file is written.
    connection.stream.pause();
    const resume = (): void => void connection.stream.resume();
    once(this.#target, 'drain').then(resume, resume);
  }
}

class CopyIn extends Copy {
  readonly #source: Readable;

  constructor(text: string, source: Readable) {
    super(text);
    this.#source = source;
  }

  handleCopyInResponse(connection: CopyConnection): void {
    this.#send(connection).then(
      () => connection.endCopyFrom(),
      (error: unknown) => {
        this.fault = error instanceof Error ? error : new Error(String(error));
        connection.sendCopyFail(this.fault.message);
      },
    );
  }

  async #send(connection: CopyConnection): Promise<void> {
    for await (const chunk of this.#source) {
      connection.sendCopyFromChunk(chunk as Buffer);
      if (connection.stream.writableNeedDrain) await once(connection.stream, 'drain');
    }
  }
}

/** Writes the rows of `text`, a `COPY … TO STDOUT`, to the target, ends it and resolves when it is written. */
export async function copyOut(client: Client, text: string, target: Writable): Promise<void> {
  const finished = once(target, 'finish');
  // Until it is awaited, a failure is reported by the copy.
  finished.catch(() => undefined);
  await client.query(new CopyOut(text, target)).done;
  target.end();
  await finished;
}

/** Feeds `text`, a `COPY … FROM STDIN`; rejects, and nothing was copied, when the source fails. */
export async function copyIn(client: Client, text: string, source: Readable): Promise<void> {
  await client.query(new CopyIn(text, source)).done;
}
