import { type AttemptEvent, parseKtapLine, PLAN_MAX } from '@peerlab/contracts';
import { eventually } from '@peerlab/controller/testing';
import { describe, expect, it } from 'vitest';
import { ORACLE_BYTES_PER_TEST, QUEUE_HOLD, ORACLE_READS_PER_TEST, AnswerDesk } from './answer-desk.js';
import {
  ANNOUNCEMENTS_PER_SUITE,
  LINES_KEPT,
  MEANINGFUL_LINES_KEPT,
  METRICS_PER_SUITE,
  METRICS_PER_TEST,
  NOTES_PER_SUITE,
  Quota,
  SAMPLES_KEPT,
  SUITE_LINES_KEPT,
  TEST_BYTES_KEPT,
  WARNINGS_PER_TEST,
} from './suite-limits.js';
import { SuiteProgress } from './suite-progress.js';

function follow(plan: string[] = [], warnings: string[] = [], quota?: Quota) {
  const events: AttemptEvent[] = [];
  const [notes, said]: [string[], string[]] = [[], []];
  const around = {
    emit: (event: AttemptEvent) => void events.push(event),
    warningsBetween: () => warnings,
    note: (text: string) => void notes.push(text),
    say: (text: string) => void said.push(text),
  };
  const progress = new SuiteProgress('s', plan, around, quota);
  let seq = 0;
  const print = (line: string): boolean => {
    const event = parseKtapLine(line);
    const kept = progress.keeps(event, line.length);
    progress.take(event, line, seq++, seq);
    return kept;
  };
  const count = (type: AttemptEvent['type']): number => events.filter((event) => event.type === type).length;
  return { events, notes, said, progress, print, count };
}

const metric = (samples: number): string =>
  `# metric: {"name":"m","unit":"ns","better":"lower","samples":[${Array(samples).fill(1).join(',')}]}`;

describe('what is kept of a suite', () => {
  it('measurements: so many of a test, of a suite, and of an attempt; the rest is counted and said once', () => {
    const { print, count, said, progress, notes } = follow();
    print('# test: T');
    for (let at = 0; at < 50_000; at += 1) print(metric(1));
    expect(count('measurement')).toBe(METRICS_PER_TEST);
    expect(said).toHaveLength(2);
    expect(said[0]).toBe('s: T has printed 500 metrics; further metrics are left out');
    expect(progress.summary()).toContain(`${50_000 - METRICS_PER_TEST} metrics`);
    expect(notes).toEqual([]);
    const suite = follow();
    for (let test = 0; test < 20; test += 1) {
      suite.print(`# test: T${test}`);
      for (let at = 0; at < METRICS_PER_TEST; at += 1) suite.print(metric(1));
    }
    expect(suite.count('measurement')).toBe(METRICS_PER_SUITE);
    const attempt = new Quota(3);
    const both = [follow([], [], attempt), follow([], [], attempt)];
    for (const { print: say } of both) for (let at = 0; at < 2; at += 1) say(metric(1));
    expect(both.map((one) => one.count('measurement'))).toEqual([2, 1]);
  });

  it('samples of a measurement', () => {
    const { print, events, said } = follow();
    print(metric(9_000));
    expect(events[0]?.type === 'measurement' && events[0].metric.samples).toHaveLength(SAMPLES_KEPT);
    expect(said[0]).toContain('more than 1000 samples');
  });

  it('results, announcements and lines, whatever the suite makes up', () => {
    const { print, count, progress, said } = follow();
    let kept = 0;
    for (let at = 0; at < 30_000; at += 1) kept += [`# test: T${at}`, `ok 1 T${at}`].map(print).filter(Boolean).length;
    progress.flush(0, 1e9);
    expect(count('result')).toBe(PLAN_MAX);
    expect(kept).toBe(MEANINGFUL_LINES_KEPT);
    expect(said.join('\n')).toContain(`it has announced ${ANNOUNCEMENTS_PER_SUITE} tests`);
    expect(said).toHaveLength(3);
    expect(progress.finished()).toHaveLength(PLAN_MAX);
  });

  it('plain lines of all tests together, and bytes of one', () => {
    const { progress, print } = follow();
    let kept = 0;
    for (let test = 0; test < 30; test += 1) {
      print(`# test: T${test}`);
      for (let at = 0; at < LINES_KEPT; at += 1) if (progress.keeps(null, 1)) kept += 1;
    }
    expect(kept).toBe(SUITE_LINES_KEPT);
    const long = follow();
    long.print('# test: T');
    expect(long.progress.keeps(null, TEST_BYTES_KEPT + 1)).toBe(false);
    expect(long.notes).toEqual([`test: T has printed ${TEST_BYTES_KEPT} bytes; further ones are left out`]);
  });

  it('warnings of a test, and notes about what is malformed', () => {
    const { print, events, progress, notes, said } = follow(
      ['T'],
      Array.from({ length: 900 }, (_, at) => `WARNING ${at}`),
    );
    for (const line of ['# test: T', 'ok 1 T']) print(line);
    progress.flush(0, 1e9);
    expect(events[0]?.type === 'result' && events[0].result.warnings).toHaveLength(WARNINGS_PER_TEST);
    for (let at = 0; at < 1000; at += 1) for (const line of ['# proof: {', 'Bail out! x']) print(line);
    expect(notes).toHaveLength(2 * NOTES_PER_SUITE);
    expect(said).toHaveLength(3);
  });

  it('a test without a name has one', () => {
    const { print, progress, events } = follow();
    print('# test:  ');
    progress.conclude(progress.running?.test ?? '', 'timeout', { reason: 'r'.repeat(1e6) });
    expect(events[0]).toMatchObject({ result: { test: 'unnamed', status: 'timeout' } });
  });
});

describe('the figures of perftest in a suite', () => {
  const table = (mb: number): string[] => [
    '                    RDMA_Write BW Test',
    ' Number of qps   : 1\t\tTransport type : IB',
    ' #bytes     #iterations    BW peak[MB/sec]    BW average[MB/sec]   MsgRate[Mpps]',
    ` 65536      200              15.09              ${mb}  \t\t     0.000184`,
    '---------------------------------------------------------------------------------------',
  ];

  it('belong to the test that was running, under its label; without a label nothing is read', () => {
    const { print, events } = follow(['P6.ib_write_bw.odp', 'P6.ib_write_bw.pinned', 'other']);
    for (const label of ['odp', 'pinned']) {
      print(`# test: P6.ib_write_bw.${label}`);
      print(`# perftest label: ${label}`);
      for (const line of table(label === 'odp' ? 11.5 : 12.5)) print(line);
      print(`ok 1 P6.ib_write_bw.${label}`);
    }
    print('# test: other');
    for (const line of table(99)) print(line);
    print('ok 3 other');
    const found = events.flatMap((event) =>
      event.type === 'measurement' && event.metric.name.includes('average')
        ? [[event.test, event.metric.name, event.metric.samples]]
        : [],
    );
    expect(found).toEqual([
      ['P6.ib_write_bw.odp', 'ib_write_bw.odp.average.65536', [11.5]],
      ['P6.ib_write_bw.pinned', 'ib_write_bw.pinned.average.65536', [12.5]],
    ]);
  });

  it('leave a failure the reason that the suite or perftest gives, which is not the label', () => {
    const { print, events, progress } = follow(['P6.ib_write_bw.odp', 'P6.ib_send_lat.odp']);
    print('# test: P6.ib_write_bw.odp');
    print('# perftest label: odp');
    print("Couldn't connect to 10.77.0.1:18515");
    print('not ok 1 P6.ib_write_bw.odp');
    print('# test: P6.ib_send_lat.odp');
    print('# perftest label: odp');
    print('# ib_send_lat of 64 bytes did not end within 60 s');
    print('not ok 2 P6.ib_send_lat.odp');
    progress.flush(0);
    const reasons = events.flatMap((event) => (event.type === 'result' ? [event.result.reason] : []));
    expect(reasons).toEqual([
      "perftest: Couldn't connect to 10.77.0.1:18515",
      'ib_send_lat of 64 bytes did not end within 60 s',
    ]);
  });
});

describe('the oracle', () => {
  /** A desk whose machine takes answers when it is told to. */
  function desk() {
    const answers: string[] = [];
    let [reading, mostReading, refused] = [0, 0, 0];
    let isQuick = false;
    let release: () => void = () => undefined;
    const memory = {
      read: async (offset: number, lengthBytes: number) => {
        reading += 1;
        mostReading = Math.max(mostReading, reading);
        await new Promise((resolve) => setImmediate(resolve));
        reading -= 1;
        if (offset === 13) throw new Error('out\nof range');
        return Buffer.alloc(lengthBytes, offset);
      },
    };
    const made = new AnswerDesk(memory, () => (refused += 1));
    const open = (): void =>
      made.open((line) => {
        answers.push(line);
        return isQuick ? Promise.resolve() : new Promise((resolve) => (release = resolve));
      });
    const takeAll = (count: number): Promise<boolean> => {
      isQuick = true;
      release();
      return eventually(`${count} answers`, () => answers.length >= count);
    };
    return { made, answers, open, takeAll, most: () => mostReading, refused: () => refused };
  }

  it('answers one question at a time, in order, when the machine has taken the answer before', async () => {
    const { made, answers, open, takeAll, most } = desk();
    for (const offset of [1, 13, 2]) made.ask(offset, 2);
    open();
    await eventually('the first answer', () => answers[0]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(answers).toEqual(['2 0101']);
    await takeAll(3);
    expect(answers).toEqual(['2 0101', 'error out of range', '2 0202']);
    expect(most()).toBe(1);
  });

  it('holds the suite back while questions wait, and lets it go on', async () => {
    const { made, open, takeAll } = desk();
    open();
    for (let at = 0; at < QUEUE_HOLD; at += 1) made.ask(1, 1);
    expect(made.wait()).toBeNull();
    made.ask(1, 1);
    const wait = made.wait();
    expect(wait).not.toBeNull();
    await takeAll(QUEUE_HOLD + 1);
    await wait;
    expect(made.wait()).toBeNull();
    for (let at = 0; at < 100; at += 1) made.ask(1, 1);
    const last = made.wait();
    made.close();
    await last;
  });

  it('reads so often and so many bytes for a test; beyond that each question gets an error', async () => {
    const { made, answers, open, takeAll, refused } = desk();
    open();
    const over = 500;
    for (let at = 0; at < ORACLE_READS_PER_TEST + over; at += 1) made.ask(1, 1);
    expect(refused()).toBe(over);
    await takeAll(ORACLE_READS_PER_TEST + over);
    expect(answers.filter((line) => line.startsWith('error one test may read'))).toHaveLength(over);
    made.beginTest();
    made.ask(1, 1);
    await takeAll(ORACLE_READS_PER_TEST + over + 1);
    expect(answers.at(-1)).toBe('1 01');
    made.beginTest();
    for (let bytes = 0; bytes <= ORACLE_BYTES_PER_TEST; bytes += 4096) made.ask(1, 4096);
    made.ask(1, 4097);
    expect(refused()).toBe(over + 2);
  });
});
