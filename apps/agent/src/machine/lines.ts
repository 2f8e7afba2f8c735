/** Cuts a stream of text chunks into lines; `\n` ends one, a `\r` before it is dropped. */
export class LineSplitter {
  private rest = '';
  private readonly decoder = new TextDecoder('utf-8');

  constructor(private readonly onLine: (line: string) => void) {}

  /** What came after the last line end. */
  get partial(): string {
    return this.rest;
  }

  push(chunk: Uint8Array): void {
    this.rest += this.decoder.decode(chunk, { stream: true });
    let start = 0;
    for (;;) {
      const end = this.rest.indexOf('\n', start);
      if (end === -1) break;
      this.onLine(this.rest.slice(start, end).replace(/\r+$/, ''));
      start = end + 1;
    }
    if (start > 0) this.rest = this.rest.slice(start);
  }

  /** Hands out what is left as a last line. */
  end(): void {
    this.rest += this.decoder.decode();
    if (this.rest !== '') this.onLine(this.rest.replace(/\r+$/, ''));
    this.rest = '';
  }
}

// The escape character is what these sequences begin with.
// eslint-disable-next-line no-control-regex
const ANSI = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|[()][A-Z0-9]|[=>78cDEHM])/g;

/** Text without terminal control sequences, for looking at; logs keep them. */
export function withoutAnsi(text: string): string {
  return text.replace(ANSI, '').replaceAll('\r', '');
}
