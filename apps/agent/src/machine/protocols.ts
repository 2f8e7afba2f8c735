import type { Labels } from '@peerlab/contracts';
import type { KernelSigner } from '../signing/index.js';

export interface ExecOptions {
  /** Written to the command's standard input, which is then closed. */
  stdin?: string;
  signal?: AbortSignal;
  /** From its start to its end; default 60 000. */
  timeoutMs?: number;
  /** Longest time in which it prints nothing, for commands that show their progress; default: it may be silent to its end. */
  silenceMs?: number;
  /** What it may print at most, stdout and stderr together; more is an error. Default 16 MiB. */
  maxBytes?: number;
}

export interface ExecResult {
  stdout: string;
  stderr: string;
  /** null when a signal ended it. */
  code: number | null;
  signal: string | null;
}

export interface CommandEnd {
  code: number | null;
  signal: string | null;
  /** The connection broke before the command's end was known. */
  lost: boolean;
  /** What it printed could not be taken; it was given up for that. */
  fault?: Error;
}

/** A command that runs for a while. `ended` never rejects. */
export interface RunningCommand {
  /** Resolves, and never rejects, when the machine has room for more, or when the command is over. */
  writeLine(text: string): Promise<void>;
  readonly ended: Promise<CommandEnd>;
  /** Closes the channel; the command on the machine may live on. */
  close(): void;
}

/** Asked by a reader before it continues, because the store of what it reads may be full. */
export interface Backpressure {
  /** null = read on; otherwise resolves, and never rejects, when reading may go on. */
  wait(): Promise<void> | null;
}

/** `continues` = the piece of a very long line that goes on where the one before it ended. */
export interface LineHandlers {
  onStdoutLine(line: string, continues: boolean): void;
  onStderrLine(line: string, continues: boolean): void;
  /** Holds the command back: it stops at its next write when the machine's buffers are full. */
  backpressure?: Backpressure;
}

/** Commands on the machine. A non-zero exit is a result, not an error. */
export interface Shell {
  exec(command: string, options?: ExecOptions): Promise<ExecResult>;
  start(command: string, handlers: LineHandlers): Promise<RunningCommand>;
}

export interface UploadOptions {
  sha256: string;
  sizeBytes: number;
  mode: number;
  signal?: AbortSignal;
  /** Asked right before each write; what it throws ends the upload. */
  check?: () => void;
  /** Last word on the command that puts the whole file into its place. */
  placing?: (command: string) => string;
}

/** Files on the machine. */
export interface Files {
  /** Uploads under a temporary name, checks the digest there, then renames. Continues a matching part. */
  upload(localPath: string, remotePath: string, options: UploadOptions): Promise<{ resumedAtBytes: number }>;
}

/** A shell with a terminal, as a person uses it. */
export interface TerminalChannel {
  /** Bytes as they come, until `pause`. */
  onData(handler: (data: Buffer) => void): void;
  pause(): void;
  resume(): void;
  /** @returns bytes that the machine has not taken yet */
  write(data: Buffer): number;
  resize(columns: number, rows: number): void;
  close(): void;
  /** How it ended, for people; never rejects. */
  readonly ended: Promise<string>;
}

/** One connection to a running kernel; gone after a reboot. */
export interface Session extends Shell, Files {
  /** The login shell of the account. Absent where the connection cannot. */
  openTerminal?(size: { columns: number; rows: number }): Promise<TerminalChannel>;
  /** Aborted when the connection is gone, for whatever reason. */
  readonly lost: AbortSignal;
  close(): void;
}

export interface Access {
  /** Where it leads, for messages: `root@127.0.0.1:22101`. */
  readonly address: string;
  connect(options: { timeoutMs: number; signal?: AbortSignal }): Promise<Session>;
}

export type PowerState = 'on' | 'off' | 'unknown';

export interface Power {
  /** For messages: `BMC 10.0.0.7`. */
  readonly name: string;
  /** Hard reset; one that is off is switched on. Resolves when that was carried out, not when the machine is up. */
  reset(signal?: AbortSignal): Promise<void>;
  state(signal?: AbortSignal): Promise<PowerState>;
  /**
   * Off, a pause, and on again: devices that a reset leaves broken begin anew. Resolves when it is on. null = this
   * power cannot.
   */
  readonly cycle: ((signal?: AbortSignal) => Promise<void>) | null;
}

/** What an armed watchdog says of itself. */
export interface WatchdogReading {
  /** null = it starts later, by itself: `note` says when. */
  isRunning: boolean | null;
  /** Until it resets the machine; null = it does not tell. */
  leftMs: number | null;
  /** What else it says, for people; null = nothing. */
  note: string | null;
}

/** Resets the machine when its time is over, whether the agent still lives or not. */
export interface Watchdog {
  /** For messages: `watchdog of BMC 10.0.0.7`. */
  readonly name: string;
  /** Longest time it can count, in milliseconds. */
  readonly longestMs: number;
  /**
   * Who else has it running, for people; null = nobody. That one would reset a kernel which does not pat it. Throws
   * MachineError('watchdog' | 'power') when there is no such watchdog, or it does not answer.
   */
  foreignUser(session: Session, signal?: AbortSignal): Promise<string | null>;
  /** From now on the machine is reset unless it is disarmed within `timeoutMs`. Throws MachineError('watchdog' | 'power'). */
  arm(session: Session, timeoutMs: number, signal?: AbortSignal): Promise<void>;
  /** `session` = to whichever kernel runs; null = none answers. Throws as `arm`, also when it counts on. */
  disarm(session: Session | null, signal?: AbortSignal): Promise<void>;
  /** How it stands after `arm`. Throws as that, also where it took the order and is set to something else. */
  readBack(session: Session, signal?: AbortSignal): Promise<WatchdogReading>;
}

/** A disk whose owner can throw away, from outside the machine, all that was written to it. */
export interface Disk {
  /** Nothing of any attempt was on it since its last reset. Tells it of every agent that may use the machine. */
  isFresh(): Promise<boolean>;
  /** To be told before anything of a submission is written; durable when it resolves. */
  markUsed(): Promise<void>;
  /**
   * Powers the machine off, without asking it, and on again with the disk that it had at first. Resolves when
   * it is powered on, not when it is up. After a rejection, also by `signal`, it has to be asked again.
   */
  reset(signal?: AbortSignal): Promise<void>;
}

/** A console that is being followed. Lines arrive in order, each once. */
export interface ConsoleFollower {
  /** Bytes read so far; a follower may start there again. */
  readonly offsetBytes: number;
  /** What came after the last line end. */
  readonly partial: string;
  /** Reads what is there, hands out the rest as lines, and stops. */
  stop(): Promise<void>;
}

/** Part of a console's record that is not there any more; both in bytes from its start, `toBytes` not included. */
export interface ConsoleGap {
  fromBytes: number;
  toBytes: number;
}

export interface ConsoleHandlers {
  onLine(line: string, continues: boolean): void;
  /** Lines that were not read, because the console printed faster than it could be read. */
  onSkipped?(skipped: { lines: number; bytes: number }): void;
  /** Told in the place of what is missing; the next line begins at `toBytes`. */
  onGap?(gap: ConsoleGap): void;
  /** Told now and then between two lines: a reader that begins at this byte gets what comes after, and only that. */
  onPlace?(offsetBytes: number): void;
  /** One of these threw; nothing more is read. */
  onFault?(fault: unknown): void;
  backpressure?: Backpressure;
}

/** Whether the running kernel prints to a console. `began` = it does since it was told now, and did not before. */
export type ConsoleStart = { prints: true; began: boolean; how: string } | { prints: false; why: string };

/** Makes kernels print to a console that none prints to by itself. */
export interface ConsoleStarter {
  /**
   * Words for the command line of a kernel that can print there from its boot on; empty = it cannot.
   * @param kernel its modules are installed; `config` null = its configuration is not known
   */
  bootWords(
    session: Session,
    kernel: { release: string; config: string | null },
    signal?: AbortSignal,
  ): Promise<string[]>;
  /** Tells the running kernel. Throws a MachineError only when the connection broke or the attempt may not act any more. */
  start(session: Session, signal?: AbortSignal): Promise<ConsoleStart>;
  /** Ends what `start` began. */
  stop(session: Session, signal?: AbortSignal): Promise<void>;
}

export interface Console {
  /** Absent = every kernel prints there that is told what the default kernel is. */
  readonly starter?: ConsoleStarter;
  /** What it cannot show of a boot, in a sentence; absent = it shows all from the firmware on. */
  readonly caveat?: string;
  /** Why it is not recorded at this moment; null when it is. Absent = that is not known. */
  problem?(): string | null;
  follow(from: number | 'end', handlers: ConsoleHandlers): Promise<ConsoleFollower>;
}

export interface BootEntry {
  /** Absolute path of the kernel image on the machine. */
  kernelPath: string;
  /** Absolute path of its initramfs; absent = it mounts its root by itself. */
  initrdPath?: string;
  commandLine: string;
}

/**
 * What a line of the boot loader on the console means. `loading` = it took our entry. `isUntrusted` = it refused an image for its
 * signature.
 */
export type LoaderLine =
  | { kind: 'loading' }
  | { kind: 'not-loaded'; untrusted?: string }
  | { kind: 'error'; message: string; isUntrusted?: boolean };

/**
 * Whose keys count where Secure Boot is on: those of the firmware (db); or also those that the owner gave to shim (MOK); or those of the
 * running kernel, which loads the next one itself.
 */
export type BootTrust = 'firmware' | 'firmware-and-shim' | 'kernel';

/** How an initramfs is compressed, by the words of the tools. */
export type InitramfsPacking = 'zstd' | 'gzip' | 'xz' | 'lz4';

/** Makes the initramfs of a second kernel on the machine, by the machine's own tool. */
export interface Initramfs {
  /** Its name for messages: `dracut`. */
  readonly tool: string;
  /** Throws MachineError('initramfs') with a remedy when the tool is not there. */
  preflight(session: Session): Promise<void>;
  /**
   * Writes the initramfs of `release`, whose modules are installed, to `path`. Throws MachineError('initramfs').
   * @param options `packing`: how it is compressed; null = as the tool is configured. `config`: the configuration of that
   * kernel, a file on the machine, which the tools look for in /boot; null = there is none
   */
  make(
    session: Session,
    options: {
      release: string;
      path: string;
      packing: InitramfsPacking | null;
      config: string | null;
      signal?: AbortSignal;
    },
  ): Promise<{ sizeBytes: number }>;
  /** The files in it: paths without the slash in front, as the tool lists them. */
  list(session: Session, path: string, signal?: AbortSignal): Promise<string[]>;
}

/** One-shot boot of a second kernel. The default entry is never touched. */
export interface BootSelect {
  /** Its name for messages, for example `GRUB`. */
  readonly loader: string;
  readonly trusts: BootTrust;
  /** What a boot by it does not prove, in a sentence; absent = it boots as the machine does. */
  readonly caveat?: string;
  /** Shell text that leaves for the selected entry, where a plain reboot would not. */
  readonly reboot?: string;
  /** Reads one console line without control sequences; null = not the loader's, or of no interest. */
  readLine(text: string): LoaderLine | null;
  /** Throws MachineError('boot-select') with a remedy when one-shot boot would not be safe. */
  preflight(session: Session): Promise<void>;
  install(session: Session, entry: BootEntry): Promise<void>;
  /** The next boot, and only that one, takes our entry. */
  selectOnce(session: Session): Promise<void>;
  /** The entry that the next boot would take instead of the default, if any. */
  pending(session: Session): Promise<string | null>;
  /** Why the running kernel was not started by our entry, as the firmware says; null = it was. Absent = it cannot say. */
  whyOther?(session: Session): Promise<string | null>;
  /** Removes our entry and any selection of it; fine when there is none. */
  remove(session: Session): Promise<void>;
}

/** The provider's memory as the host sees it: an oracle that the kernel under test cannot fool. */
export interface DeviceMemory {
  read(offsetBytes: number, lengthBytes: number): Promise<Buffer>;
}

/** A machine as stages see it: abilities without their drivers. */
export interface Machine {
  readonly name: string;
  readonly description: string;
  readonly labels: Labels;
  /** Arguments that every kernel is booted with here, the default one too. */
  readonly kernelArguments: readonly string[];
  /** How long it takes from a reboot command to its boot loader, in milliseconds; null = not said. */
  readonly firmwareMs: number | null;
  readonly access: Access;
  readonly boot: BootSelect;
  /** null = candidates boot without an initramfs, which needs a root on a plain partition. */
  readonly initramfs: Initramfs | null;
  /** Out-of-tree drivers that it needs of a bundle, in the order in which they are loaded. */
  readonly drivers: readonly string[];
  readonly power: Power | null;
  /** Other ways to its power, tried in this order where the ones before do not help; none without `power`. */
  readonly otherPower: readonly Power[];
  /** null = a machine that hangs is reset by the agent alone. */
  readonly watchdog: Watchdog | null;
  /** null = what a candidate wrote stays; the machine is compared with its fingerprint instead. */
  readonly disk: Disk | null;
  readonly console: Console | null;
  /** Of each provider, in the order of their PCI addresses; of those that are not there the host sees nothing. */
  readonly deviceMemory: readonly DeviceMemory[];
  /** The network to the other machines of an attempt; null = there is none that is known. */
  readonly link: PeerLink | null;
  /** Signs kernels where Secure Boot is on; null = the site has no key. */
  readonly signer: KernelSigner | null;
}

/** A network device that leads to other machines under test. */
export interface PeerLink {
  /** Its name under the kernels that are tested, or its MAC address: one of the two. */
  device?: string | undefined;
  mac?: string | undefined;
  /** IPv4 address with the length of the prefix that suites give it; absent = the machine has one. */
  address?: string | undefined;
}
