import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Assignment, LOG_LINE_MAX, type LogLine, type SequencedEvent } from '@peerlab/contracts';
import fc from 'fast-check';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { collectLog } from '../testing/log-entries.js';
import { AttemptSpool } from './attempt-spool.js';
import { SpoolDisk, type SpoolDiskOptions, type SpoolFault } from './spool-disk.js';

const ASSIGNMENT: Assignment = {
  participantId: 'b2f5c1de-6c3f-4b5c-9c38-0f6f3b9d6d11',
  role: 'main',
  peers: [],
  attemptId: 'b2f5c1de-6c3f-4b5c-9c38-0f6f3b9d6d11',
  runId: 'b2f5c1de-6c3f-4b5c-9c38-0f6f3b9d6d12',
  fence: 3,
  work: { kind: 'build', buildName: 'base', series: [], config: 'peerlab' },
};
const STAGE = { type: 'stage', stage: 'build', status: 'started', detail: null } as const;

let root: string;
beforeEach(() => {
  // Every segment is synced, which a disk would make slow here.
  root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'attempts-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const create = (disk: SpoolDisk): AttemptSpool => {
  rmSync(join(root, ASSIGNMENT.participantId), { recursive: true, force: true });
  return AttemptSpool.create(root, ASSIGNMENT, disk);
};
const lines = (spool: AttemptSpool, from = 0): LogLine[] => spool.file('serial').read(from, 1e6, 1e12) as LogLine[];
const events = (spool: AttemptSpool): string[] =>
  (spool.file('events').read(0, 1e6, 1e12) as SequencedEvent[]).map(({ event }) => event.type);

/** A disk with room for a number of bytes more, as a small file system has it. */
class SmallDisk extends SpoolDisk {
  room = Infinity;

  constructor(options: SpoolDiskOptions = {}) {
    super({
      ...options,
      write: (fd, bytes, offset) => {
        const count = Math.min(this.room, bytes.length - offset);
        if (count === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
        this.room -= count;
        return writeSync(fd, bytes, offset, count);
      },
    });
  }
}

/** What arrived, put together again: texts of whole lines, and how many are said to be missing between them. */
function arrived(received: readonly LogLine[]): { texts: string[]; missing: number } {
  const texts: string[] = [];
  let missing = 0;
  for (const { text, continues, gap } of received) {
    if (gap !== undefined) missing += gap.lines;
    else if (continues === true) texts.push(`${texts.pop() ?? ''}${text}`);
    else texts.push(text);
  }
  return { texts, missing };
}

describe('AttemptSpool', () => {
  it('is read when an agent wrote it that knew no participants', () => {
    create(new SpoolDisk()).close();
    const path = join(root, ASSIGNMENT.participantId, 'attempt.json');
    const record = JSON.parse(readFileSync(path, 'utf8')) as { assignment: object };
    const { attemptId, runId, fence, work } = ASSIGNMENT;
    writeFileSync(path, JSON.stringify({ ...record, assignment: { attemptId, runId, fence, work } }));
    const [spool] = AttemptSpool.openAll(root);
    expect(spool?.record.assignment).toEqual({ ...ASSIGNMENT, participantId: attemptId, role: 'main', peers: [] });
    expect(spool?.participantId).toBe(attemptId);
    spool?.remove();
  });

  it('is removed at a start when it was never accepted, and kept when it cannot be read', () => {
    const entries = collectLog();
    onTestFinished(() => void vi.restoreAllMocks());
    for (const name of ['unaccepted', 'unreadable', 'damaged']) mkdirSync(join(root, name));
    // A folder in the place of a file is the error that root gets too.
    mkdirSync(join(root, 'unreadable', 'attempt.json'));
    writeFileSync(join(root, 'damaged', 'attempt.json'), '{"assignment":');
    expect(AttemptSpool.openAll(root)).toEqual([]);
    expect(readdirSync(root).toSorted()).toEqual(['damaged', 'unreadable']);
    expect(entries.map(({ event, folder }) => `${event} ${String(folder)}`).toSorted()).toEqual([
      `spool-unreadable ${join(root, 'damaged')}`,
      `spool-unreadable ${join(root, 'unreadable')}`,
    ]);
    expect(AttemptSpool.openAll(join(root, 'no such folder'))).toEqual([]);
  });

  it('is found again after the process died, with all it held', () => {
    const disk = new SpoolDisk();
    const spool = create(disk);
    spool.updateRecord({ stage: 'build', touched: true });
    spool.appendLine('build', 'NUL \0 and a long one '.padEnd(9000, 'x'));
    spool.appendEvent(STAGE);
    const second = new SpoolDisk();
    const [found] = AttemptSpool.openAll(root, second);
    expect(found?.record).toMatchObject({ stage: 'build', touched: true, assignment: { fence: 3 } });
    expect(found?.nextSeq()).toEqual({ build: 2, events: 1 });
    expect(found?.taken('build')).toBe(1);
    expect(found?.finished).toBe(false);
    expect(second.usedBytes).toBe(disk.usedBytes);
    found?.appendEvent({ type: 'finished', failure: null, restored: true, lineCounts: {} });
    const [again] = AttemptSpool.openAll(root);
    expect(again?.finished).toBe(true);
    again?.close();
    found?.remove();
    expect(second.usedBytes).toBe(0);
    expect(readdirSync(root)).toEqual([]);
  });

  it('splits a long line into parts that say so, and keeps binary bytes apart from line ends', () => {
    const spool = create(new SpoolDisk());
    const long = '\u001b[31m\u{1f4a9}\ufffd'.repeat(LOG_LINE_MAX);
    expect(spool.appendLine('serial', long)).toBe(0);
    spool.appendLine('serial', ' goes on', 1, true);
    const next = spool.appendLine('serial', 'next');
    expect(next).toBeGreaterThan(8);
    expect(arrived(lines(spool)).texts).toEqual([`${long} goes on`, 'next']);
    spool.close();
  });
});

describe('the limit of the spool', () => {
  it('holds producers back, then leaves lines out and says how many, and goes on when there is room', async () => {
    const disk = new SpoolDisk({ maxBytes: 1024 * 1024, holdMs: 60 });
    const spool = create(disk);
    let produced = 0;
    while (disk.wait() === null) spool.appendLine('serial', `line ${produced++}`.padEnd(100, '.'));
    const since = performance.now();
    const held = disk.wait();
    // What was under way when the reader stopped still has its place.
    for (let i = 0; i < 100; i += 1) spool.appendLine('serial', `line ${produced++}`.padEnd(100, '.'));
    expect(arrived(lines(spool)).missing).toBe(0);
    await held;
    expect(performance.now() - since).toBeGreaterThan(40);
    expect(disk.wait()).toBeNull();
    const before = spool.file('serial').next;
    for (let i = 0; i < 500; i += 1) expect(spool.appendLine('serial', `line ${produced++}`)).toBe(before);
    expect(disk.usedBytes).toBeLessThanOrEqual(disk.maxBytes);
    // The agent's own words and the events are still taken.
    spool.appendLine('agent', 'still here');
    spool.appendEvent(STAGE);
    expect(spool.lineCounts()).toMatchObject({ serial: before + 1, agent: 1 });
    expect(events(spool)).toEqual(['stage']);
    const received = lines(spool);
    spool.acknowledged('serial', before);
    spool.appendLine('serial', `line ${produced++}`);
    received.push(...lines(spool, before));
    expect(received.map(({ seq }) => seq)).toEqual(Array.from({ length: before + 2 }, (_, i) => i));
    expect(received.at(-2)).toMatchObject({ gap: { lines: 500, reason: 'spool-full' } });
    expect(received.at(-2)?.text).toContain('500 lines are missing');
    expect(arrived(received)).toMatchObject({ missing: 500, texts: { length: produced - 500 } });
    expect(spool.taken('serial')).toBe(produced);
    spool.close();
  });

  it('lets the producers go as soon as there is room', async () => {
    const disk = new SpoolDisk({ maxBytes: 1024 * 1024, holdMs: 60_000 });
    const spool = create(disk);
    while (disk.wait() === null) spool.appendLine('serial', 'x'.repeat(1000));
    const held = disk.wait();
    spool.acknowledged('serial', spool.file('serial').next);
    await held;
    expect(disk.wait()).toBeNull();
    expect(spool.settled).toBe(true);
    spool.close();
  });

  it('is shared by all attempts', () => {
    const disk = new SpoolDisk({ maxBytes: 2 * 1024 * 1024 });
    const spool = create(disk);
    const other = AttemptSpool.create(root, { ...ASSIGNMENT, participantId: crypto.randomUUID() }, disk);
    while (disk.wait() === null) other.appendLine('serial', 'x'.repeat(5000));
    expect(disk.takesBulk(disk.maxBytes / 8)).toBe(false);
    other.remove();
    expect(disk.takesBulk(disk.maxBytes / 8)).toBe(true);
    spool.remove();
    expect(disk.usedBytes).toBe(0);
  });
});

describe('a full disk', () => {
  it('ends the attempt once, keeps counting what is lost, and writes the end down when there is room', async () => {
    const disk = new SmallDisk();
    const spool = create(disk);
    const faults: SpoolFault[] = [];
    spool.onFault = (fault) => faults.push(fault);
    spool.appendLine('serial', 'before');
    disk.room = 30;
    for (let i = 0; i < 10; i += 1) spool.appendLine('serial', `refused ${i}`);
    expect(faults.map(({ reason }) => reason)).toEqual(['disk-full']);
    spool.appendEvent(STAGE);
    // Fewer bytes in the attempt's memory are no reason to stop on the way back to the default kernel.
    spool.updateRecord({ stage: 'upload' });
    expect(spool.settled).toBe(false);
    const lineCounts = spool.lineCounts();
    expect(lineCounts).toEqual({ serial: 2 });
    spool.appendEvent({ type: 'finished', failure: null, restored: true, lineCounts });
    expect(spool.finished).toBe(true);
    expect(spool.settled).toBe(false);
    expect(events(spool)).toEqual([]);
    disk.room = Infinity;
    await eventually('the rest', () => spool.settled);
    expect(events(spool)).toEqual(['stage', 'finished']);
    expect(arrived(lines(spool))).toEqual({ texts: ['before'], missing: 10 });
    expect(faults).toHaveLength(1);
    spool.close();
    const [again] = AttemptSpool.openAll(root);
    expect(again?.record.stage).toBe('upload');
    again?.close();
  });

  it('gives up the bytes it kept back for the last words', () => {
    const disk = new SmallDisk();
    const spool = create(disk);
    const reserve = join(root, ASSIGNMENT.participantId, 'reserve');
    const kept = statSync(reserve).size;
    expect(kept).toBeGreaterThan(100_000);
    disk.room = 0;
    const shrink = disk.shrink.bind(disk);
    disk.shrink = (bytes) => {
      disk.room += bytes;
      shrink(bytes);
    };
    spool.appendLine('serial', 'bulk does not touch it');
    expect(existsSync(reserve)).toBe(true);
    spool.appendEvent(STAGE);
    spool.appendLine('agent', 'the disk is full');
    expect(existsSync(reserve)).toBe(false);
    expect(events(spool)).toEqual(['stage']);
    expect(spool.nextSeq()).toMatchObject({ agent: 1 });
    spool.close();
  });

  /** A file system of 3 MiB; false where the account may not mount one. */
  const mountSmall = (folder: string): boolean => {
    mkdirSync(folder);
    return spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', folder]).status === 0;
  };

  it('of a real file system costs nothing but what the gap says', async ({ skip }) => {
    const small = join(root, 'small');
    if (!mountSmall(small)) skip();
    try {
      const disk = new SpoolDisk();
      const spool = AttemptSpool.create(small, ASSIGNMENT, disk);
      const faults: SpoolFault[] = [];
      spool.onFault = (fault) => faults.push(fault);
      writeFileSync(join(small, 'of-somebody-else'), Buffer.alloc(1024 * 1024));
      let produced = 0;
      while (faults.length === 0) spool.appendLine('serial', `line ${produced++}`.padEnd(700, '.'));
      for (let i = 0; i < 500; i += 1) spool.appendLine('serial', `line ${produced++}`.padEnd(700, '.'));
      expect(faults[0]?.reason).toBe('disk-full');
      spool.appendLine('agent', 'the disk is full');
      spool.appendEvent(STAGE);
      spool.updateRecord({ stage: 'upload' });
      spool.appendEvent({ type: 'finished', failure: null, restored: true, lineCounts: spool.lineCounts() });
      rmSync(join(small, 'of-somebody-else'));
      await eventually('the rest', () => spool.settled);
      spool.close();
      const [again] = AttemptSpool.openAll(small) as [AttemptSpool];
      const { texts, missing } = arrived(lines(again));
      expect(missing).toBeGreaterThan(400);
      expect(texts.length + missing).toBe(produced);
      expect(texts.every((text, index) => text.startsWith(`line ${index}.`))).toBe(true);
      expect(events(again)).toEqual(['stage', 'finished']);
      again.close();
    } finally {
      spawnSync('umount', [small]);
    }
  });

  it('takes no attempt that it could not record', () => {
    const disk = new SmallDisk();
    disk.room = 1000;
    expect(() => create(disk)).toThrow(/make room in stateDir/);
    expect(readdirSync(root)).toEqual([]);
  });

  it('every line arrives once and in order, or is counted in the gap at its place', () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ do: fc.constant('produce' as const), n: fc.integer({ min: 1, max: 40 }) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('acknowledge' as const), n: fc.nat(200) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('room' as const), n: fc.nat(3000) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('kill' as const), n: fc.constant(0) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 4, maxLength: 60 }), (steps) => {
        const limits = { maxBytes: 200_000, holdMs: 0 };
        let disk = new SmallDisk(limits);
        let spool = create(disk);
        const received: LogLine[] = [];
        let produced = 0;
        const deliver = (count: number): void => {
          received.push(...(spool.file('serial').read(received.length, count, 1e9) as LogLine[]));
          spool.acknowledged('serial', received.length);
        };
        for (const { do: what, n } of steps) {
          if (what === 'produce') {
            for (let i = 0; i < n; i += 1)
              spool.appendLine('serial', `line ${produced++} `.padEnd(30 + (i % 7) * 99, 'x'));
          } else if (what === 'acknowledge') deliver(n);
          else if (what === 'room') disk.room = n;
          else {
            spool.close();
            disk = new SmallDisk(limits);
            [spool] = AttemptSpool.openAll(root, disk) as [AttemptSpool];
            // The source is read again from where the spool ends: what was not written down is not lost.
            produced = spool.taken('serial');
          }
        }
        disk.room = Infinity;
        deliver(1e6);
        spool.appendEvent({ type: 'finished', failure: null, restored: true, lineCounts: spool.lineCounts() });
        deliver(1e6);
        expect(received.map(({ seq }) => seq)).toEqual(received.map((_, index) => index));
        let expected = 0;
        for (const { text, gap } of received) {
          if (gap === undefined) expect(text.startsWith(`line ${expected} `)).toBe(true);
          expected += gap?.lines ?? 1;
        }
        expect(expected).toBe(produced);
        expect(spool.settled).toBe(true);
        spool.remove();
      }),
      { numRuns: 60 },
    );
  });
});
