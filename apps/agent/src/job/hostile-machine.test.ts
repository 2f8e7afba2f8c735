import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AttemptEvent, FromAgent, LOG_LINE_MAX, type LogStream, SequencedEvent } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_PACE, type FakeLab, type FakeLabOptions, startFakeLab } from '../fake/fake-lab.js';
import type { FakeChannel } from '../fake/fake-ssh-server.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { METRICS_PER_TEST } from './suite-limits.js';
import { AttemptContext } from './attempt-context.js';
import { runTestJob } from './test-job.js';

const MIB = 1024 * 1024;
const TESTS = [
  { id: 'F01.first', act: 'pass' as const },
  { id: 'F02.second', act: 'pass' as const },
];

/** One attempt on one machine of its own. */
class Attempt {
  private constructor(
    readonly lab: FakeLab,
    readonly context: AttemptContext,
    readonly spool: AttemptSpool,
  ) {}

  static async on(folder: string, name: string, options: FakeLabOptions = {}): Promise<Attempt> {
    const root = join(folder, name);
    mkdirSync(root);
    const lab = await startFakeLab(root, { tests: TESTS, ...options });
    const assignment = lab.assign();
    const spool = AttemptSpool.create(join(root, 'spool'), assignment);
    const machine = { ...lab.machine, name };
    const lease = { check: () => undefined };
    const stop = new AbortController().signal;
    const context = new AttemptContext(
      assignment,
      assignment.work,
      machine,
      lab.bundles,
      spool,
      FAKE_PACE,
      stop,
      lease,
    );
    return new Attempt(lab, context, spool);
  }

  get events(): AttemptEvent[] {
    return this.spool
      .file('events')
      .read(0, 100_000, 1e9)
      .flatMap((entry) => ('event' in entry ? [entry.event] : []));
  }

  get statuses(): Record<string, string> {
    const results = this.events.flatMap((event) => (event.type === 'result' ? [event.result] : []));
    return Object.fromEntries(results.map(({ test, status }) => [test, status]));
  }

  lines(stream: LogStream): string[] {
    return this.spool
      .file(stream)
      .read(0, 1_000_000, 1e10)
      .flatMap((entry) => ('text' in entry ? [entry.text] : []));
  }

  get end(): AttemptEvent | undefined {
    return this.events.at(-1);
  }
}

const PASSED = { boot: 'pass', 'F01.first': 'pass', 'F02.second': 'pass', restore: 'pass' };

let folder: string;
let bad: Attempt;
let good: Attempt;

async function setUp(options: FakeLabOptions = {}): Promise<void> {
  bad = await Attempt.on(folder, 'v-bad', options);
  good = await Attempt.on(folder, 'v-good');
}

/** Both attempts at the same time, and the most memory that they took in MiB beside what was taken before. */
async function runBoth(): Promise<number> {
  const taken = (): number => {
    const { heapUsed, external } = process.memoryUsage();
    return (heapUsed + external) / MIB;
  };
  const before = taken();
  let most = before;
  const sampling = setInterval(() => (most = Math.max(most, taken())), 10);
  await Promise.all([runTestJob(bad.context), runTestJob(good.context)]);
  clearInterval(sampling);
  return most - before;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hostile-'));
});
afterEach(async () => {
  for (const attempt of [bad, good]) {
    await attempt.lab.fake.stop();
    attempt.spool.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

const writeAll = async (channel: FakeChannel, text: string | Buffer, times: number): Promise<void> => {
  for (let at = 0; at < times; at += 1) {
    channel.write(text);
    await channel.drained();
  }
};

describe('a machine that does its worst', () => {
  it('costs its own attempt, and no other one anything', async () => {
    await setUp();
    const { fake } = bad.lab;
    fake.answers.set('suite-list', (channel) => {
      channel.write(`${TESTS.map(({ id }) => id).join('\n')}\n${'x'.repeat(MIB)}\n`);
      channel.exit(0);
    });
    fake.answers.set('kmsg-dump', (channel) => {
      channel.write('4,99999999999999999999,1,-;counted past all numbers\n');
      channel.write(`4,999999999999,1,-;far ahead\n4,${'9'.repeat(10_000)},1,-;x\n`);
      channel.exit(0);
    });
    fake.answers.set('collect', (channel) => {
      channel.write(Buffer.alloc(100_000, '\u0000\n'));
      channel.exit(0);
    });
    fake.programs.set('F01.first', async (channel) => {
      appendFileSync(fake.settings.consoleFile, Buffer.alloc(2 * MIB, 0));
      appendFileSync(fake.settings.consoleFile, Buffer.alloc(2 * MIB, 'DMA-API: INFO: task '));
      channel.write(`ok 1 ${' '.repeat(240_000)}#x\n`);
      await writeAll(channel, Buffer.alloc(MIB, Buffer.from([0xff, 0xc3, 0x00, 0x1b])), 3);
      channel.write(`\n# test: F01.first\n# proof: ${'['.repeat(100_000)}\n`);
      await writeAll(channel, '# metric: {"name":"m","unit":"ns","better":"lower","samples":[1]}\n'.repeat(500), 10);
      await writeAll(channel, '@oracle read 0x10 4096\n'.repeat(100), 30);
      for (let at = 0; at < 20; at += 1) channel.writeError(Buffer.alloc(32_000, 'e'));
    });
    await runBoth();
    expect(good.statuses).toEqual(PASSED);
    expect(bad.end).toMatchObject({ type: 'finished', restored: true });
    expect(bad.statuses).toEqual(PASSED);
    expect(bad.events.filter(({ type }) => type === 'measurement').length).toBe(METRICS_PER_TEST);
    // All that was spooled is what a controller takes.
    for (const entry of bad.spool.file('events').read(0, 1e6, 1e10)) {
      expect(SequencedEvent.safeParse(entry).error).toBeUndefined();
    }
    const { participantId, fence } = bad.spool;
    for (const stream of ['serial', 'kernel', 'test', 'agent'] as const) {
      for (let next = 0; next < bad.spool.file(stream).next; ) {
        const lines = bad.spool.file(stream).read(next, 1000, 1e6);
        const frame = { type: 'log', participantId, fence, stream, lines };
        expect(FromAgent.safeParse(frame).error).toBeUndefined();
        next += lines.length;
      }
      expect(bad.lines(stream).every((line) => line.length <= LOG_LINE_MAX)).toBe(true);
    }
    expect(bad.lines('agent').length).toBeLessThan(5000);
  });

  it('whose suite exits while its questions are being answered is not waited for', async () => {
    await setUp();
    bad.lab.fake.programs.set('F01.first', (channel) => {
      bad.lab.fake.programs.clear();
      channel.write('@oracle read 0 4096\n'.repeat(3000));
      channel.exit(139);
    });
    const start = performance.now();
    await runBoth();
    expect(bad.statuses).toMatchObject({ 'F01.first': 'fail', 'F02.second': 'not-reached' });
    expect(performance.now() - start).toBeLessThan(9_000);
  });

  it('that asks without reading the answers is held back, and its test ends by its limit', async () => {
    await setUp({ testTimeoutSeconds: 3 });
    bad.lab.fake.programs.set('F01.first', async (channel) => {
      bad.lab.fake.programs.clear();
      channel.pauseInput();
      const { signal } = bad.lab.fake.life;
      await writeAll(channel, '@oracle read 0 4096\n'.repeat(100), 200);
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    });
    const most = await runBoth();
    expect(good.statuses).toEqual(PASSED);
    expect(bad.statuses).toMatchObject({ 'F01.first': 'timeout', 'F02.second': 'pass' });
    // 20 000 answers of 8 KiB would be 164 MB.
    expect(most).toBeLessThan(100);
  });

  it('whose reader ends at once is not asked for its kernel log without end', async () => {
    await setUp();
    let asked = 0;
    bad.lab.fake.answers.set('kmsg-follow', (channel) => {
      asked += 1;
      channel.exit(1);
    });
    await runBoth();
    expect(bad.statuses).toEqual(PASSED);
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThan(6);
  });
});

describe('a listener that throws', () => {
  it.each(['test', 'serial', 'kernel'] as const)('ends its own attempt: what the %s stream gets', async (stream) => {
    await setUp();
    const append = bad.spool.appendLine.bind(bad.spool);
    bad.spool.appendLine = (to, text, at, continues) => {
      // The first lines of a candidate's streams are the agent's own.
      if (to === stream && (text.includes('KTAP') || text.includes('Linux version'))) throw new Error('a bug');
      return append(to, text, at, continues);
    };
    await runBoth();
    expect(good.statuses).toEqual(PASSED);
    expect(good.end).toMatchObject({ type: 'finished', failure: null });
    expect(bad.end).toMatchObject({
      type: 'finished',
      failure: { class: 'infrastructure', message: expect.stringContaining('could not be taken: ') },
      restored: true,
    });
    expect(bad.end?.type === 'finished' && bad.end.failure?.message).toContain('a bug');
  });
});
