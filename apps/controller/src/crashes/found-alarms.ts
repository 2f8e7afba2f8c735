import {
  HARDWARE_ALARMS_MAX,
  injectedPage,
  plainText,
  readHardwareAlarm,
  recordLines,
  type HardwareAlarm,
  type LogLine,
  type LogStream,
} from '@peerlab/contracts';

/** Streams that hold messages of kernels alone: what a test prints proves nothing about the hardware. */
const ALARM_STREAMS: readonly LogStream[] = ['serial', 'kernel'];

/** Pages with a failure of their own that are told apart, in each stream; an injection beyond these does not excuse anything. */
const PAGES_MAX = 4096;

/** All lines of a stream that say the same of the same part. */
export interface FoundAlarm extends Omit<HardwareAlarm, 'page'> {
  stream: LogStream;
  /** Sequence of the first. */
  line: number;
  times: number;
  /** When the first arrived, milliseconds since 1970. */
  atMs: number;
}

const keyOf = ({ kind, severity, device, title }: Omit<HardwareAlarm, 'page'>): string =>
  JSON.stringify([kind, severity, device, title]);

/** The pages of a participant's machine whose memory a program let fail, which one of its streams may tell and another may not. */
export class InjectedPages {
  readonly #pages = new Set<string>();

  add(page: string): void {
    if (this.#pages.size < PAGES_MAX) this.#pages.add(page);
  }

  has(page: string): boolean {
    return this.#pages.has(page);
  }
}

/**
 * Reads one stream of a participant and finds what the hardware told, under whichever kernel. Takes time in proportion to the
 * lines, and memory for HARDWARE_ALARMS_MAX alarms and PAGES_MAX pages.
 */
export class StreamAlarms {
  readonly #stream: LogStream;
  readonly #injected: InjectedPages;
  readonly #found = new Map<string, FoundAlarm>();
  /** Alarms of failed memory by page, until it is known which of them were injected. */
  readonly #ofPages = new Map<string, FoundAlarm>();

  /** @param injected of the participant: what this stream tells goes in as well */
  constructor(stream: LogStream, injected: InjectedPages) {
    this.#stream = stream;
    this.#injected = injected;
  }

  push({ seq, at, text, continues, gap }: LogLine): void {
    if (continues === true || gap !== undefined || !ALARM_STREAMS.includes(this.#stream)) return;
    const line = plainText(text);
    for (const part of this.#stream === 'kernel' ? recordLines(line) : [line]) {
      const injected = injectedPage(part);
      if (injected !== null) this.#injected.add(injected);
      const alarm = readHardwareAlarm(part);
      if (alarm === null) continue;
      const { page, ...told } = alarm;
      const found = { ...told, stream: this.#stream, line: seq, times: 1, atMs: at };
      if (page !== undefined && this.#ofPages.size < PAGES_MAX) addTo(this.#ofPages, `${page} ${keyOf(told)}`, found);
      else this.#add(found);
    }
  }

  /** When all streams of the participant were read. */
  end(): FoundAlarm[] {
    for (const [key, found] of this.#ofPages) {
      if (!this.#injected.has(key.slice(0, key.indexOf(' ')))) this.#add(found);
    }
    this.#ofPages.clear();
    return [...this.#found.values()];
  }

  #add(found: FoundAlarm): void {
    const key = keyOf(found);
    if (this.#found.has(key) || this.#found.size < HARDWARE_ALARMS_MAX) addTo(this.#found, key, found);
  }
}

function addTo(all: Map<string, FoundAlarm>, key: string, found: FoundAlarm): void {
  const known = all.get(key);
  if (known === undefined) {
    all.set(key, found);
    return;
  }
  known.times += found.times;
  if (found.line >= known.line) return;
  known.line = found.line;
  known.atMs = found.atMs;
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
