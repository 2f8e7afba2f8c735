import { readKernelAlarm } from '@peerlab/contracts';
import { script } from '../machine/command.js';
import type { RunningCommand, Session } from '../machine/protocols.js';
import type { AttemptSpool } from '../spool/attempt-spool.js';
import { messageOf } from '../journal.js';
import type { KernelIdentity } from './kernel-identity.js';

export interface KernelRecord {
  seq: number;
  text: string;
}

/** One record of /dev/kmsg as dmesg prints it; null for its continuation and property lines. */
export function parseKmsg(line: string): KernelRecord | null {
  const match = /^\d+,(\d+),(\d+),[^;]*;(.*)$/.exec(line);
  if (match === null) return null;
  const micros = (match[2] ?? '0').padStart(7, '0');
  const seconds = micros.slice(0, -6).padStart(5, ' ');
  return { seq: Number(match[1]), text: `[${seconds}.${micros.slice(-6)}] ${match[3] ?? ''}` };
}

/** Warnings kept for looking back: a kernel that warns at every fault would fill the memory. */
const KEPT_ALARMS = 10_000;

/** Follows the kernel's own log over SSH into the kernel stream: every record of a boot once. */
export class KernelLog {
  private bootId: string | null = null;
  private nextKmsg = 0;
  private command: RunningCommand | null = null;
  private readonly alarms: { at: number; title: string }[] = [];

  constructor(
    private readonly spool: AttemptSpool,
    private readonly note: (text: string) => void,
  ) {}

  /** Starts following on a connection; after a reboot the count begins anew. */
  async attach(session: Session, kernel: KernelIdentity): Promise<void> {
    this.detach();
    if (this.bootId !== kernel.bootId) {
      this.bootId = kernel.bootId;
      this.nextKmsg = 0;
      this.spool.appendLine('kernel', `# kernel ${kernel.release}, boot ${kernel.bootId}`);
    }
    const command = await session.start(script('kmsg-follow', {}, 'exec cat /dev/kmsg'), {
      onStdoutLine: (line) => this.take(line),
      onStderrLine: () => undefined,
      flow: this.spool.flow,
    });
    this.command = command;
    // The reader falls out (EPIPE) when the ring buffer overtakes it; while connected, go on.
    void command.ended.then((end) => {
      if (this.command !== command || end.lost || session.lost.aborted) return;
      this.attach(session, kernel).catch((error: unknown) => this.note(`kernel log: ${messageOf(error)}`));
    });
  }

  /** Reads the ring buffer to its end, so that what the follower has not delivered yet is there. */
  async catchUp(session: Session, signal?: AbortSignal): Promise<void> {
    const command = script('kmsg-dump', {}, 'dd if=/dev/kmsg iflag=nonblock bs=8192 2>/dev/null; exit 0');
    const { stdout } = await session.exec(command, signal === undefined ? {} : { signal });
    for (const line of stdout.split('\n')) this.take(line);
  }

  detach(): void {
    const command = this.command;
    this.command = null;
    command?.close();
  }

  /** Titles of warnings that arrived between two `performance.now()` moments. */
  warningsBetween(from: number, to: number): string[] {
    return [...new Set(this.alarms.filter((alarm) => alarm.at >= from && alarm.at <= to).map((alarm) => alarm.title))];
  }

  private take(line: string): void {
    const record = parseKmsg(line);
    if (record === null || record.seq < this.nextKmsg) return;
    // The ring buffer is as long as it is: what was overwritten before it was read is counted.
    const missed = record.seq - this.nextKmsg;
    if (missed > 0) this.spool.leaveOut('kernel', { lines: missed, bytes: 0, reason: 'source-overrun' });
    this.nextKmsg = record.seq + 1;
    this.spool.appendLine('kernel', record.text);
    const alarm = readKernelAlarm(record.text);
    if (alarm?.kind !== 'warning') return;
    this.alarms.push({ at: performance.now(), title: alarm.title });
    if (this.alarms.length >= 2 * KEPT_ALARMS) this.alarms.splice(0, KEPT_ALARMS);
  }
}
