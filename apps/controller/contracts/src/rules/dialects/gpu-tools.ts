import type { Metric } from '../../schema/metric.js';
import type { DialectEnd, DialectEvent, DialectReader, SuiteExit } from './dialect.js';
import { NamedTests, plainLine, type TestStatus } from './named-tests.js';

const NUMBER = /^-?\d{1,15}(\.\d{1,9})?(e[+-]?\d{1,3})?$/i;
const numberOf = (word: string | undefined): number | null =>
  word !== undefined && NUMBER.test(word) ? Number(word) : null;
const wordsOf = (line: string): string[] => line.trim().split(/\s+/);

function metric(name: string, unit: string, better: Metric['better'], value: number, params = {}): DialectEvent {
  return { type: 'metric', metric: { name, unit, better, samples: [value], params } };
}

/**
 * The table of nccl-tests (and rccl-tests): a test for each size, out of place and in place. Whether the data was right
 * stands in the columns `#wrong` and in `# Out of bounds values`.
 */
export class NcclReader implements DialectReader {
  readonly #tests = new NamedTests();
  #outOfBounds: string | null = null;
  #hasAverage = false;

  line(text: string): DialectEvent[] {
    const line = plainLine(text);
    if (line.startsWith('#')) {
      const [name = '', value = ''] = line.slice(1).split(':', 2);
      if (name.trim() === 'Out of bounds values') this.#outOfBounds = value.trim();
      if (name.trim() !== 'Avg bus bandwidth') return [];
      const average = numberOf(value.trim());
      this.#hasAverage = average !== null;
      return average === null ? [] : [metric('average.busbw', 'GB/s', 'higher', average)];
    }
    const words = wordsOf(line);
    // size count type redop root, then twice: time algbw busbw #wrong
    if (words.length !== 13 || numberOf(words[0]) === null || numberOf(words[1]) === null) return [];
    const params = { size: Number(words[0]) };
    return ['out-of-place', 'in-place'].flatMap((place, side): DialectEvent[] => {
      const [time, , busbw, wrong = ''] = words.slice(5 + 4 * side, 9 + 4 * side);
      const [us, gbps] = [numberOf(time), numberOf(busbw)];
      // A test that cannot run in place says so.
      if (us === null || gbps === null) return [];
      const count = numberOf(wrong);
      const reason = wrong === 'N/A' ? null : count === 0 ? null : `${wrong} values are wrong`;
      const test = `${place}/${words[0] ?? ''}`;
      return [
        this.#tests.result(test, reason === null ? 'pass' : 'fail', reason),
        metric(`${place}.busbw`, 'GB/s', 'higher', gbps, params),
        metric(`${place}.time`, 'us', 'lower', us, params),
      ];
    });
  }

  end(exit: SuiteExit): DialectEnd {
    const bounds = this.#outOfBounds;
    const isWhole = bounds !== null && this.#hasAverage;
    const whole = this.#tests.whole(exit, isWhole ? this.#tests.count : null);
    if (whole !== null || bounds === null || bounds.endsWith('OK')) return { events: [], whole };
    return { events: [], whole: { status: 'fail', reason: `out of bounds values: ${bounds.slice(0, 100)}` } };
  }
}

/** The output of nvbandwidth: `Running NAME.`, a matrix, `SUM NAME VALUE`; `Waived` where the hardware lacks something. */
export class NvbandwidthReader implements DialectReader {
  readonly #tests = new NamedTests();
  #running: string | null = null;
  #waived = false;
  /** Of its matrix, whose title ends in it. */
  #unit = 'GB/s';
  #error: string | null = null;

  line(text: string): DialectEvent[] {
    const line = plainLine(text);
    const running = /^Running ([\w-]{1,150})\.$/.exec(line);
    if (running !== null) {
      const events = this.#close('it printed no sum');
      this.#running = running[1] ?? '';
      return events;
    }
    if (/^(ERROR|\[ERROR\]|CUDA_ERROR)/i.test(line)) this.#error ??= line;
    if (this.#running === null) return [];
    const unit = /\((GB\/s|ns|us)\)$/.exec(line);
    if (unit !== null) this.#unit = unit[1] ?? '';
    if (/^Waived\b/i.test(line.trim())) this.#waived = true;
    const words = wordsOf(line);
    if (words[0] !== 'SUM' || words[1] !== this.#running) return [];
    const sum = numberOf(words[2]);
    if (sum === null) return [];
    const name = this.#running;
    this.#running = null;
    return [
      this.#tests.result(name, 'pass'),
      metric('sum', this.#unit, this.#unit === 'GB/s' ? 'higher' : 'lower', sum),
    ];
  }

  end(exit: SuiteExit): DialectEnd {
    const events = this.#close(`it printed no sum: nvbandwidth ${exit.how}`);
    const whole = this.#tests.whole(exit, this.#tests.count === 0 ? null : this.#tests.count);
    if (whole !== null || this.#error === null) return { events, whole };
    return { events, whole: { status: 'fail', reason: this.#error.slice(0, 300) } };
  }

  #close(reason: string): DialectEvent[] {
    if (this.#running === null) return [];
    const waived = this.#waived;
    const event = this.#tests.result(
      this.#running,
      waived ? 'skip' : 'fail',
      waived ? 'waived by nvbandwidth' : reason,
    );
    this.#running = null;
    this.#waived = false;
    return [event];
  }
}

const GDRCOPY_WORDS: Readonly<Record<string, TestStatus>> = { PASSED: 'pass', FAILED: 'fail', WAIVED: 'skip' };

/**
 * The programs of gdrcopy: gdrcopy_sanity (`&&&& PASSED name`, `Total: 3, Passed: 3, …`), gdrcopy_copybw (`write BW: …`)
 * and gdrcopy_copylat (a table).
 */
export class GdrcopyReader implements DialectReader {
  readonly #tests = new NamedTests();
  #total: number | null = null;

  line(text: string): DialectEvent[] {
    const line = plainLine(text);
    const mark = /^&{4} ([A-Z]{4,8}) ([\w./-]{1,150})/.exec(line);
    const status = GDRCOPY_WORDS[mark?.[1] ?? ''];
    if (mark !== null) return status === undefined ? [] : [this.#tests.result(mark[2] ?? '', status)];
    const total = /^Total: (\d{1,6}), Passed: \d/.exec(line);
    if (total !== null) this.#total = Number(total[1]);
    const bandwidth = /^(write|read) BW: (\d{1,12}(?:\.\d{1,9})?) ?MB\/s/.exec(line);
    if (bandwidth !== null) {
      this.#measured();
      const [, side = '', value] = bandwidth;
      return [this.#tests.result(side, 'pass'), metric(`${side}.bandwidth`, 'MB/s', 'higher', Number(value))];
    }
    const [name = '', size, time] = wordsOf(line);
    if (!/^gdr_copy_(to|from)_mapping$/.test(name)) return [];
    const [bytes, us] = [numberOf(size), numberOf(time)];
    if (bytes === null || us === null) return [];
    this.#measured();
    return [
      this.#tests.result(`${name}/${bytes}`, 'pass'),
      metric(`${name}.latency`, 'us', 'lower', us, { size: bytes }),
    ];
  }

  end(exit: SuiteExit): DialectEnd {
    return { events: [], whole: this.#tests.whole(exit, this.#total) };
  }

  /** Programs that measure have no summary: their exit status says whether they came to their end. */
  #measured(): void {
    this.#total = this.#tests.count + 1;
  }
}
