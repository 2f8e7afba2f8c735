import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Assignment, type AttemptEvent, FRAME_MAX_BYTES, FromAgent } from '@peerlab/contracts';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AttemptSpool } from './attempt-spool.js';
import { AttemptSender } from './sender.js';

const ASSIGNMENT: Assignment = {
  participantId: 'b2f5c1de-6c3f-4b5c-9c38-0f6f3b9d6d11',
  role: 'main',
  peers: [],
  attemptId: 'b2f5c1de-6c3f-4b5c-9c38-0f6f3b9d6d11',
  runId: 'b2f5c1de-6c3f-4b5c-9c38-0f6f3b9d6d12',
  fence: 3,
  work: { kind: 'build', buildName: 'base', series: [], config: 'peerlab' },
};
const FINISHED = { type: 'finished', failure: null, restored: true, lineCounts: {} } as const;

let folder: string;
let spool: AttemptSpool;
let frames: FromAgent[];
let accepting: boolean;
/** Frames that the link did not take. */
let refused: number;
let sender: AttemptSender;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sender-'));
  spool = AttemptSpool.create(folder, ASSIGNMENT);
  frames = [];
  accepting = true;
  refused = 0;
  sender = new AttemptSender(
    spool,
    (frame) => {
      if (accepting) frames.push(frame);
      else refused += 1;
      return accepting;
    },
    (error) => {
      throw error;
    },
  );
});
afterEach(() => {
  sender.stop();
  spool.close();
  rmSync(folder, { recursive: true, force: true });
});

const lineSeqs = (): number[] =>
  frames.flatMap((frame) => (frame.type === 'log' ? frame.lines.map((line) => line.seq) : []));
const eventTypes = (): string[] =>
  frames.flatMap((frame) => (frame.type === 'events' ? frame.events.map((entry) => entry.event.type) : []));
describe('AttemptSender', () => {
  it('sends nothing before the connection, then everything in order and once', async () => {
    for (let i = 0; i < 5000; i += 1) spool.appendLine('build', `cc ${i}`);
    expect(frames).toEqual([]);
    sender.resume({});
    await eventually('all lines', () => lineSeqs().length === 5000);
    expect(lineSeqs()).toEqual(Array.from({ length: 5000 }, (_, i) => i));
    expect(frames.every((frame) => frame.type === 'log' && frame.lines.length <= 2000)).toBe(true);
  });

  it('keeps a window: without acknowledgements it stops', async () => {
    for (let i = 0; i < 9000; i += 1) spool.appendLine('build', 'x');
    sender.resume({});
    await eventually('the window', () => lineSeqs().length === 8000);
    sender.acknowledge('build', 2000);
    await eventually('the rest', () => lineSeqs().length === 9000);
  });

  it('after a reconnect goes on from what the controller holds', async () => {
    for (let i = 0; i < 10; i += 1) spool.appendLine('build', `${i}`);
    sender.resume({});
    await eventually('ten', () => lineSeqs().length === 10);
    sender.pauseSending();
    spool.appendLine('build', 'while away');
    frames = [];
    sender.resume({ build: 7 });
    await eventually('the tail', () => lineSeqs().length === 4);
    expect(lineSeqs()).toEqual([7, 8, 9, 10]);
  });

  it('tries again when the link takes nothing for a while', async () => {
    accepting = false;
    sender.resume({});
    spool.appendLine('build', 'one');
    await eventually('a second try', () => refused >= 2);
    expect(frames).toEqual([]);
    accepting = true;
    await eventually('the line', () => lineSeqs().length === 1);
  });

  it('holds the finished event back until every line is acknowledged', async () => {
    let done = false;
    void sender.done.then(() => {
      done = true;
    });
    sender.resume({});
    spool.appendLine('agent', 'a line');
    spool.appendEvent({ type: 'stage', stage: 'fetch', status: 'started', detail: null });
    spool.appendEvent(FINISHED);
    await eventually('line and first event', () => lineSeqs().length === 1 && eventTypes().length === 1);
    expect(eventTypes()).toEqual(['stage']);
    sender.acknowledge('agent', 1);
    await eventually('finished', () => eventTypes().includes('finished'));
    sender.acknowledge('events', 1);
    expect(done).toBe(false);
    sender.acknowledge('events', 2);
    await eventually('done', () => done);
  });

  it('an acknowledgement beyond what was sent skips nothing', async () => {
    spool.appendLine('build', 'one');
    sender.resume({});
    await eventually('one', () => lineSeqs().length === 1);
    sender.acknowledge('build', 99);
    spool.appendLine('build', 'two');
    await eventually('two', () => lineSeqs().length === 2);
    expect(lineSeqs()).toEqual([0, 1]);
  });

  it('sends what an older agent spooled and no controller takes in a form that it takes, and goes on', async () => {
    const text = 'x'.repeat(FRAME_MAX_BYTES);
    const event = { type: 'build-progress', percent: 1, text } as const;
    const file = spool.file('events');
    file.append([{ at: 1, event }]);
    file.append([{ at: 1, event: { type: 'of-another-world' } as unknown as AttemptEvent }]);
    spool.file('build').append([{ at: 1, text }]);
    spool.appendEvent({ type: 'build-progress', percent: 2, text: 'behind it' });
    sender.resume({});
    await eventually('three events and a line', () => eventTypes().length === 3 && lineSeqs().length === 1);
    for (const frame of frames) {
      expect(FromAgent.safeParse(frame).error).toBeUndefined();
      expect(Buffer.byteLength(JSON.stringify(frame))).toBeLessThan(FRAME_MAX_BYTES);
    }
    const last = frames.flatMap((frame) => (frame.type === 'events' ? frame.events : [])).at(-1);
    expect(last).toMatchObject({ seq: 2, event: { text: 'behind it' } });
  });

  it('cuts batches by their bytes', async () => {
    for (let at = 0; at < 500; at += 1) spool.appendLine('build', '\u0001'.repeat(8000));
    sender.resume({});
    await eventually('all lines', () => lineSeqs().length === 500);
    expect(frames.length).toBeGreaterThan(20);
    for (const frame of frames) expect(JSON.stringify(frame).length).toBeLessThan(2 * 1024 * 1024);
  });
});
