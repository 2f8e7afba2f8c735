import { cleanText, CrashWatch } from '@peerlab/contracts';
import type { SerialLine } from './serial-recorder.js';

/** Why the default kernel came back instead of the candidate, as the console tells it. */
export type BootEvidence =
  | { kind: 'crash'; signature: string; fromSeq: number }
  | { kind: 'not-loaded'; message: string; fromSeq: number }
  | { kind: 'started'; fromSeq: number }
  | { kind: 'nothing' };

const GRUB_ERROR = /^error: (?!can't find command)(.+?)\.?$/;

/** Longest message of GRUB that is quoted, in characters. */
const MESSAGE_MAX = 300;

/**
 * Reads the console lines between the reboot and the return of the default kernel. `release` is the
 * candidate's, so that its first line can be told from the default kernel's. The machine is asked for again and
 * again meanwhile: each line is read once.
 */
export class BootEvidenceReader {
  readonly #watch = new CrashWatch();
  #started: number | null = null;
  #notLoaded: { message: string; fromSeq: number } | null = null;

  readonly #release: string;

  constructor(release: string) {
    this.#release = release;
  }

  push(lines: readonly SerialLine[]): void {
    for (const line of lines) this.#pushLine(line);
  }

  get evidence(): BootEvidence {
    const { crash } = this.#watch;
    if (crash !== null) return { kind: 'crash', signature: crash.title, fromSeq: crash.startLine };
    if (this.#notLoaded !== null) return { kind: 'not-loaded', ...this.#notLoaded };
    return this.#started === null ? { kind: 'nothing' } : { kind: 'started', fromSeq: this.#started };
  }

  #pushLine({ seq, text }: SerialLine): void {
    this.#watch.push(text, seq);
    const error = GRUB_ERROR.exec(text.trim());
    if (error !== null && this.#started === null) {
      this.#notLoaded ??= { message: cleanText(error[1] ?? '', MESSAGE_MAX), fromSeq: seq };
    }
    if (text.includes('peerlab-grub: the image was not loaded')) {
      this.#notLoaded ??= { message: 'no reason given', fromSeq: seq };
    }
    if (text.includes(`Linux version ${this.#release} `)) this.#started ??= seq;
  }
}
