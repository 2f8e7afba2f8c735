import { appendFileSync, mkdtempSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { LogLine, LogStream, Work } from '@peerlab/contracts';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_SUITE, type FakeLab, startFakeLab } from '../fake/fake-lab.js';
import { KernelLog } from '../job/kernel-log.js';
import { SerialRecorder } from '../job/serial-recorder.js';
import { suiteCommand } from '../job/suite-command.js';
import { createLogFileConsole } from '../machine/drivers/console-log-file.js';
import { LINE_PIECE_MAX, LineSplitter } from '../machine/lines.js';
import type { ConsoleHandlers, Backpressure, LineHandlers, Session } from '../machine/protocols.js';
import { pause } from '../timing.js';
import { AttemptSpool } from './attempt-spool.js';
import { SpoolDisk } from './spool-disk.js';

let folder: string;
let lab: FakeLab | null;
let spool: AttemptSpool;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pressure-'));
  lab = null;
});
afterEach(async () => {
  await lab?.fake.stop();
  rmSync(folder, { recursive: true, force: true });
});

const lines = (stream: LogStream): LogLine[] => spool.file(stream).read(0, 1e6, 1e12) as LogLine[];
const create = (disk = new SpoolDisk()): void => {
  const attemptId = crypto.randomUUID();
  const work = { kind: 'build' as const, buildName: 'base', series: [], config: 'peerlab' } satisfies Work;
  spool = AttemptSpool.create(
    join(folder, 'spool'),
    { participantId: attemptId, attemptId, runId: attemptId, role: 'main', peers: [], fence: 3, work },
    disk,
  );
};
const reopen = (disk = new SpoolDisk()): void => {
  spool.close();
  [spool] = AttemptSpool.openAll(join(folder, 'spool'), disk) as [AttemptSpool];
};

/** Holds from the start until it is opened. */
function gate(): Backpressure & { open: () => void } {
  let open = (): void => undefined;
  let closed: Promise<void> | null = new Promise<void>((resolve) => {
    open = () => {
      closed = null;
      resolve();
    };
  });
  return { wait: () => closed, open: () => open() };
}

describe('a reader that is held back', () => {
  it('stops a suite at its next write, loses nothing and goes on', async () => {
    lab = await startFakeLab(folder);
    const output = (): string[] => Array.from({ length: 60_000 }, (_, i) => `word ${i} differs`);
    lab.fake.suites = { [FAKE_SUITE]: [{ id: 'F01', act: 'pass', output }] };
    const [suite] = lab.assign().work.suites;
    if (suite === undefined) throw new Error('the bundle has no suite');
    const session = await lab.machine.access.connect({ timeoutMs: 5000 });
    const seen: string[] = [];
    const backpressure = gate();
    const handlers = {
      onStdoutLine: (line: string) => void seen.push(line),
      onStderrLine: () => undefined,
      backpressure,
    };
    const command = await session.start(
      suiteCommand('/x', suite, { skip: [], oracle: false, environment: {} }),
      handlers,
    );
    await eventually('the first chunk', () => seen.length > 0);
    const few = seen.length;
    await pause(100);
    expect(seen.length).toBe(few);
    expect(few).toBeLessThan(10_000);
    backpressure.open();
    const end = await command.ended;
    expect(end.lost).toBe(false);
    expect(seen.filter((line) => line.startsWith('word'))).toEqual(
      Array.from({ length: 60_000 }, (_, i) => `word ${i} differs`),
    );
    session.close();
  });

  it('leaves a console in its file, and reads all of it at the end', async () => {
    const logFile = join(folder, 'console.log');
    writeFileSync(logFile, Array.from({ length: 30_000 }, (_, i) => `line ${i}\n`).join(''));
    const seen: string[] = [];
    const backpressure = gate();
    const console = createLogFileConsole({ logFile, pollMs: 5 });
    const follower = await console.follow(0, { onLine: (line) => seen.push(line), backpressure });
    await eventually('the first chunk', () => seen.length > 0);
    const few = seen.length;
    await pause(50);
    expect(seen.length).toBe(few);
    expect(few).toBeLessThan(20_000);
    await follower.stop();
    expect(seen).toHaveLength(30_000);
  });
});

describe('the serial stream', () => {
  it('is continued after a restart at the right line, behind long lines and gaps', async () => {
    const logFile = join(folder, 'console.log');
    writeFileSync(logFile, '');
    const console = createLogFileConsole({ logFile, pollMs: 5 });
    let refusing = false;
    create(
      new SpoolDisk({
        write: (fd, bytes, offset) => {
          if (refusing) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
          return writeSync(fd, bytes, offset);
        },
      }),
    );
    const recorder = await SerialRecorder.start(console, spool, () => undefined);
    const long = 'é'.repeat(LINE_PIECE_MAX + 20_000);
    appendFileSync(logFile, `first\n${long}\nthird\n`);
    await eventually('three lines', () => lines('serial').at(-1)?.text === 'third');
    refusing = true;
    appendFileSync(logFile, 'not stored 1\nnot stored 2\n');
    await eventually('the gap', () => recorder.since(0).some(({ text }) => text === 'not stored 2'));
    refusing = false;
    appendFileSync(logFile, 'behind the gap\n');
    await eventually('the line behind', () => lines('serial').at(-1)?.text === 'behind the gap');
    await recorder.stop();
    reopen();
    appendFileSync(logFile, 'while the agent was away\n');
    const again = await SerialRecorder.start(console, spool, () => undefined);
    await eventually('the rest', () => lines('serial').at(-1)?.text === 'while the agent was away');
    await again.stop();
    let text = '';
    for (const line of lines('serial'))
      text += line.continues === true ? line.text : `\n${line.gap?.lines ?? line.text}`;
    expect(text).toBe(`\nfirst\n${long}\nthird\n2\nbehind the gap\nwhile the agent was away`);
    spool.close();
  });

  it('a line without end does not stay in memory: a piece that is kept keeps no more than itself', async () => {
    create(new SpoolDisk({ maxBytes: 1024 * 1024, holdMs: 0 }));
    let onLine: (line: string, continues: boolean) => void = () => undefined;
    const console = {
      follow: async (_from: unknown, handlers: ConsoleHandlers) => {
        onLine = (line, continues) => handlers.onLine(line, continues);
        return { offsetBytes: 0, partial: '', stop: async () => undefined };
      },
    };
    const recorder = await SerialRecorder.start(console, spool, () => undefined);
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const takenMiB = (): number => {
      collectGarbage();
      const { heapUsed, external } = process.memoryUsage();
      return (heapUsed + external) / 1024 / 1024;
    };
    const before = takenMiB();
    for (let at = 0; at < 100; at += 1) {
      new LineSplitter(onLine).push(Buffer.alloc(LINE_PIECE_MAX + 1, 97 + (at % 26)));
    }
    expect(recorder.since(0)).toHaveLength(100);
    expect(takenMiB() - before).toBeLessThan(40);
    spool.close();
  });

  it('shows a crash although there is no room for it', async () => {
    const logFile = join(folder, 'console.log');
    writeFileSync(logFile, '');
    const disk = new SpoolDisk({ maxBytes: 1024 * 1024, holdMs: 0 });
    create(disk);
    const recorder = await SerialRecorder.start(createLogFileConsole({ logFile, pollMs: 5 }), spool, () => undefined);
    const crashed = recorder.watchFrom(recorder.next);
    while (disk.takesBulk(1000)) spool.appendLine('test', 'x'.repeat(900));
    await disk.wait();
    appendFileSync(
      logFile,
      'fine\nBUG: kernel NULL pointer dereference, address: 0\nRIP: 0010:hmm_range_fault+0x1/0x2\n---[ end trace ]---\n',
    );
    await eventually(
      'the crash',
      () => crashed()?.signature === 'BUG: unable to handle kernel NULL pointer dereference in hmm_range_fault',
    );
    await eventually('all lines', () => recorder.since(0).length === 4);
    expect(crashed()).toMatchObject({ fromSeq: 0, toSeq: 0 });
    await recorder.stop();
    spool.acknowledged('test', spool.nextOf('test'));
    spool.appendEvent({ type: 'finished', failure: null, restored: true, lineCounts: spool.lineCounts() });
    expect(lines('serial')).toMatchObject([{ seq: 0, gap: { lines: 4, reason: 'spool-full' } }]);
    spool.close();
  });
});

describe('the kernel stream', () => {
  it('counts what the ring buffer overwrote before it was read', async () => {
    create();
    let handlers: LineHandlers | null = null;
    const session = {
      lost: new AbortController().signal,
      start: async (_command: string, given: LineHandlers) => {
        handlers = given;
        return { ended: new Promise<never>(() => undefined), writeLine: () => undefined, close: () => undefined };
      },
    } as unknown as Session;
    const log = new KernelLog(spool, { note: () => undefined, fail: () => undefined });
    const kernel = { bootId: 'b', release: '7.3.4', buildId: 'ab', nonce: null, commandLine: '' };
    await log.attach(session, kernel);
    const reader = handlers as LineHandlers | null;
    for (const seq of [0, 1, 5, 6]) reader?.onStdoutLine(`6,${seq},1000000,-;line ${seq}`, false);
    expect(lines('kernel').map(({ text, gap }) => gap ?? text)).toEqual([
      '# kernel 7.3.4, boot b',
      '[    1.000000] line 0',
      '[    1.000000] line 1',
      { lines: 3, bytes: 0, reason: 'source-overrun' },
      '[    1.000000] line 5',
      '[    1.000000] line 6',
    ]);
    spool.close();
  });
});
