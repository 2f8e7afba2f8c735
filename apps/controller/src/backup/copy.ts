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
  private settle!: { resolve: () => void; reject: (error: Error) => void };
  protected fault: Error | null = null;

  constructor(private readonly text: string) {
    this.done = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
  }

  submit(connection: Connection): void {
    (connection as CopyConnection).query(this.text);
  }

  handleError(error: Error, connection: Connection): void {
    connection.stream.resume();
    this.settle.reject(this.fault ?? error);
  }

  handleReadyForQuery(connection: Connection): void {
    // Nothing drains a target that has its last row: who waits for that would leave the connection paused.
    connection.stream.resume();
    if (this.fault === null) this.settle.resolve();
    else this.settle.reject(this.fault);
  }

  handleCommandComplete(): void {
    // The end is when the server is ready for the next query.
  }
}

class CopyOut extends Copy {
  constructor(
    text: string,
    private readonly target: Writable,
  ) {
    super(text);
    target.on('error', (error) => (this.fault ??= error));
  }

  handleCopyData({ chunk }: { chunk: Buffer }, connection: CopyConnection): void {
    // A copy: the parser uses its buffer again before the file has it.
    if (this.fault !== null || this.target.write(Buffer.from(chunk)) || connection.stream.isPaused()) return;
    // The server waits while the file is written.
    connection.stream.pause();
    const goOn = (): void => void connection.stream.resume();
    once(this.target, 'drain').then(goOn, goOn);
  }
}

class CopyIn extends Copy {
  constructor(
    text: string,
    private readonly source: Readable,
  ) {
    super(text);
  }

  handleCopyInResponse(connection: CopyConnection): void {
    this.send(connection).then(
      () => connection.endCopyFrom(),
      (error: unknown) => {
        this.fault = error instanceof Error ? error : new Error(String(error));
        connection.sendCopyFail(this.fault.message);
      },
    );
  }

  private async send(connection: CopyConnection): Promise<void> {
    for await (const chunk of this.source) {
      connection.sendCopyFromChunk(chunk as Buffer);
      if (connection.stream.writableNeedDrain) await once(connection.stream, 'drain');
    }
  }
}

/** Writes what `text`, a `COPY … TO STDOUT`, gives; ends the target and resolves when that is through. */
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
