import { cleanText, CrashWatch } from '@peerlab/contracts';
import type { LoaderLine } from '../machine/protocols.js';
import type { SerialLine } from './serial-recorder.js';

/**
 * How far a candidate came, as the console tells it. All but `nothing` prove that the loader took it: without the
 * loader's mark or the candidate's banner nothing is known about the candidate, and a failure is the lab's.
 */
export type BootEvidence =
  | { kind: 'crash'; signature: string; fromSeq: number }
  /** It came up to where it mounts its file systems, and could not. */
  | { kind: 'no-root'; message: string; fromSeq: number }
  | { kind: 'not-loaded'; message: string; fromSeq: number }
  /** The loader or the firmware refused it for its signature. */
  | { kind: 'not-trusted'; message: string; fromSeq: number }
  | { kind: 'started'; fromSeq: number }
  /** Programs ran on it, of the system or of its initramfs. `message` is the line that proves it. */
  | { kind: 'user-space'; message: string; fromSeq: number }
  /** The loader took it; it printed nothing. */
  | { kind: 'loaded'; fromSeq: number }
  /** `crash`: title of a crash of the kernel that was told to reboot. */
  | { kind: 'nothing'; crash: string | null };

/** Why the loader did not load the image. */
interface Refusal {
  message: string;
  fromSeq: number;
  isUntrusted: boolean;
}

/** Longest line that is quoted, in characters. */
const MESSAGE_MAX = 300;

/**
 * What the kernel, initramfs-tools, dracut and systemd print when the root or another file system of fstab is not there: all words of
 * one row.
 */
const NO_ROOT: readonly (readonly string[])[] = [
  ['VFS: Unable to mount root fs'],
  ['Kernel panic - not syncing: No working init found'],
  ['Kernel panic - not syncing: Requested init', 'failed'],
  ['ALERT!', ' does not exist.', 'Dropping to a shell!'],
  ['Gave up waiting for root file system device'],
  ['dracut: FATAL: '],
  ['dracut-initqueue timeout'],
  ['Entering emergency mode'],
  ['You are in emergency mode.'],
];

/** What initramfs-tools print first; a few lines later comes the row that names what is missing. */
const NAMELESS = 'Gave up waiting for root file system device';

/**
 * What systemd, sysvinit and getty print on a console: all words of one row. A dracut initramfs has a systemd of its own, whose lines are
 * no others.
 */
const USER_SPACE: readonly (readonly string[])[] = [
  ['systemd[1]: '],
  ['[  OK  ] '],
  ['INIT: ', 'booting'],
  ['INIT: Entering runlevel'],
  [' login: '],
];

/** Times that a loader takes an entry that was selected for one boot: more is a loop. */
const LOADS_MAX = 3;

/**
 * Reads the console lines between the reboot and the return of the default kernel. `release` is the
 * candidate's, so that its first line can be told from the default kernel's. The machine is asked for again and
 * again meanwhile: each line is read once.
 */
export class BootEvidenceReader {
  /** The kernel before the reboot may crash on its way down: that says nothing about the candidate. */
  readonly #before = new CrashWatch();
  readonly #watch = new CrashWatch();
  #loaded: number | null = null;
  #loads = 0;
  /** The loader's mark was counted, and the first line that belongs to it has not come. */
  #awaitsBanner = false;
  #started: number | null = null;
  #userSpace: { message: string; fromSeq: number } | null = null;
  /** Another kernel booted after it: what that one prints is not the candidate's. */
  #over = false;
  #noRoot: { message: string; fromSeq: number } | null = null;
  #error: Refusal | null = null;
  #notLoaded: Refusal | null = null;

  readonly #release: string;
  readonly #readLine: (text: string) => LoaderLine | null;

  constructor(release: string, readLine: (text: string) => LoaderLine | null) {
    this.#release = release;
    this.#readLine = readLine;
  }

  push(lines: readonly SerialLine[]): void {
    for (const line of lines) this.#pushLine(line);
  }

  /** The last line of all, which may have no end: a prompt has none. */
  pushLast(text: string, seq: number): void {
    if (this.#started !== null && !this.#over) this.#lookForUserSpace(`${text} `, seq);
  }

  get evidence(): BootEvidence {
    const { crash } = this.#watch;
    if (this.#noRoot !== null) return { kind: 'no-root', ...this.#noRoot };
    if (crash !== null) return { kind: 'crash', signature: crash.title, fromSeq: crash.startLine };
    if (this.#userSpace !== null) return { kind: 'user-space', ...this.#userSpace };
    if (this.#started !== null) return { kind: 'started', fromSeq: this.#started };
    if (this.#notLoaded !== null) {
      const { isUntrusted, message, fromSeq } = this.#notLoaded;
      return { kind: isUntrusted ? 'not-trusted' : 'not-loaded', message, fromSeq };
    }
    if (this.#loaded !== null) return { kind: 'loaded', fromSeq: this.#loaded };
    return { kind: 'nothing', crash: this.#before.crash?.title ?? null };
  }

  /**
   * The loader takes the candidate at every boot, although it was selected for one. Some loaders print no mark: then the
   * candidate's first line counts.
   */
  get loops(): boolean {
    return this.#loads > LOADS_MAX;
  }

  /** The loader said that it took the candidate. */
  get isMarked(): boolean {
    return this.#loaded !== null;
  }

  #pushLine({ seq, text }: SerialLine): void {
    const line = this.#readLine(text);
    if (line?.kind === 'loading') {
      this.#loaded ??= seq;
      this.#loads += 1;
      this.#awaitsBanner = true;
    }
    const isBanner = text.includes(`Linux version ${this.#release} `);
    const isOther = !isBanner && text.includes('Linux version ');
    if (isBanner) {
      this.#started ??= seq;
      if (!this.#awaitsBanner) this.#loads += 1;
    }
    if (isBanner || isOther) this.#awaitsBanner = false;
    if (this.#loaded === null && this.#started === null) {
      // Firmware that refuses our entry never takes it.
      if (line?.kind === 'not-loaded' && line.untrusted !== undefined) {
        this.#notLoaded ??= { message: line.untrusted, fromSeq: seq, isUntrusted: true };
      }
      this.#before.push(text, seq);
      return;
    }
    if (isOther) this.#over = true;
    if (this.#over) return;
    this.#watch.push(text, seq);
    if (this.#started !== null) {
      if (NO_ROOT.some((row) => row.every((words) => text.includes(words)))) {
        const { message, fromSeq } = this.#noRoot ?? { message: NAMELESS, fromSeq: seq };
        if (message.includes(NAMELESS)) this.#noRoot = { message: cleanText(text.trim(), MESSAGE_MAX), fromSeq };
      }
      this.#lookForUserSpace(text, seq);
      return;
    }
    // What GRUB complains of between our mark and the failure is its reason; it complains before good boots, too.
    if (line?.kind === 'error' && (this.#error === null || line.isUntrusted === true)) {
      this.#error = { message: line.message, fromSeq: seq, isUntrusted: line.isUntrusted === true };
    }
    if (line?.kind === 'not-loaded') {
      this.#notLoaded ??=
        line.untrusted === undefined
          ? (this.#error ?? { message: 'no reason given', fromSeq: seq, isUntrusted: false })
          : { message: line.untrusted, fromSeq: seq, isUntrusted: true };
    }
  }

  #lookForUserSpace(text: string, seq: number): void {
    if (this.#userSpace !== null || !USER_SPACE.some((row) => row.every((words) => text.includes(words)))) return;
    this.#userSpace = { message: cleanText(text.trim(), MESSAGE_MAX), fromSeq: seq };
  }
}
