import {
  HARDWARE_ALARMS_MAX,
  plainText,
  readHardwareAlarm,
  recordLines,
  type HardwareAlarm,
  type LogLine,
  type LogStream,
} from '@peerlab/contracts';

/** Streams that hold messages of kernels alone: what a test prints proves nothing about the hardware. */
const ALARM_STREAMS: readonly LogStream[] = ['serial', 'kernel'];

/** All lines of a stream that say the same of the same part. */
export interface FoundAlarm extends HardwareAlarm {
  stream: LogStream;
  /** Sequence of the first. */
  line: number;
  times: number;
  /** When the first arrived, milliseconds since 1970. */
  atMs: number;
}

const keyOf = ({ kind, severity, device, title }: HardwareAlarm): string =>
  JSON.stringify([kind, severity, device, title]);

/**
 * Reads one stream of a participant and finds what the hardware told, under whichever kernel. Takes time in proportion to the
 * lines, and memory for HARDWARE_ALARMS_MAX alarms.
 */
export class StreamAlarms {
  readonly #stream: LogStream;
  readonly #found = new Map<string, FoundAlarm>();

  constructor(stream: LogStream) {
    this.#stream = stream;
  }

  push({ seq, at, text, continues, gap }: LogLine): void {
    if (continues === true || gap !== undefined || !ALARM_STREAMS.includes(this.#stream)) return;
    const line = plainText(text);
    for (const part of this.#stream === 'kernel' ? recordLines(line) : [line]) {
      const alarm = readHardwareAlarm(part);
      if (alarm === null) continue;
      const key = keyOf(alarm);
      const known = this.#found.get(key);
      if (known !== undefined) known.times += 1;
      else if (this.#found.size < HARDWARE_ALARMS_MAX) {
        this.#found.set(key, { ...alarm, stream: this.#stream, line: seq, times: 1, atMs: at });
      }
    }
  }

  end(): FoundAlarm[] {
    return [...this.#found.values()];
  }
}

/** Alarms of one participant out of its streams, which repeat each other; of each the stream that has most of it. */
export function mergeAlarms(streams: readonly (readonly FoundAlarm[])[]): FoundAlarm[] {
  const merged = new Map<string, FoundAlarm>();
  for (const alarm of streams.flat()) {
    const key = keyOf(alarm);
    const other = merged.get(key);
    if (other === undefined || alarm.times > other.times) merged.set(key, alarm);
  }
  const all = [...merged.values()].toSorted((one, other) => one.atMs - other.atMs);
  // What is to be looked at is never cut off for what is not.
  const urgent = all.filter(({ severity }) => severity === 'uncorrected');
  return [...urgent, ...all.filter(({ severity }) => severity !== 'uncorrected')].slice(0, HARDWARE_ALARMS_MAX);
}
