import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLiveLink } from './live.js';

/** A socket that the test opens, closes and speaks through. */
class ManualSocket extends EventTarget {
  static all: ManualSocket[] = [];
  readyState = 0;
  sent: unknown[] = [];
  constructor() {
    super();
    ManualSocket.all.push(this);
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(): void {
    this.readyState = 3;
    this.dispatchEvent(new Event('close'));
  }
  open(): void {
    this.readyState = 1;
    this.dispatchEvent(new Event('open'));
  }
  say(message: unknown): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data: JSON.stringify(message) }));
  }
}
const newest = (): ManualSocket => {
  const socket = ManualSocket.all.at(-1);
  if (socket === undefined) throw new Error('no socket was opened');
  return socket;
};
const ATTEMPT = '00000000-0000-4000-8000-000000000000';

describe('live link', () => {
  const topics: (string | null)[] = [];
  const start = () =>
    createLiveLink(
      (topic) => topics.push(topic),
      () => new ManualSocket() as unknown as WebSocket,
    );
  beforeEach(() => {
    ManualSocket.all = [];
    topics.length = 0;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => vi.useRealTimers());

  it('subscribes to the topics that are held, each once', async () => {
    const link = start();
    newest().open();
    const stop = link.watch(['runs', 'grid']);
    link.watch(['grid']);
    await Promise.resolve();
    expect(newest().sent.at(-1)).toEqual({ type: 'topics', topics: ['runs', 'grid'] });
    stop();
    await Promise.resolve();
    expect(newest().sent.at(-1)).toEqual({ type: 'topics', topics: ['grid'] });
  });

  it('returns after a loss, resumes topics and tails, and says that anything may have changed', () => {
    const link = start();
    newest().open();
    link.watch(['runs']);
    let next = 3;
    link.tail({ attemptId: ATTEMPT, stream: 'serial', nextSeq: () => next, onLines: () => undefined });
    next = 9;
    expect(topics).toEqual([]);
    newest().close();
    expect(link.state()).toBe('paused');
    vi.advanceTimersByTime(600);
    expect(ManualSocket.all).toHaveLength(2);
    newest().open();
    expect(link.state()).toBe('open');
    expect(topics).toEqual([null]);
    expect(newest().sent).toContainEqual({ type: 'topics', topics: ['runs'] });
    expect(newest().sent).toContainEqual({ type: 'tail', attemptId: ATTEMPT, stream: 'serial', fromSeq: 9 });
  });

  it('waits longer after every failure, but never longer than ten seconds', () => {
    const link = start();
    for (let tries = 1; tries <= 12; tries += 1) {
      newest().close();
      vi.advanceTimersByTime(10_000);
      expect(ManualSocket.all).toHaveLength(tries + 1);
    }
    newest().close();
    vi.advanceTimersByTime(5_900);
    expect(ManualSocket.all).toHaveLength(13);
    link.retryNow();
    expect(ManualSocket.all).toHaveLength(14);
    link.close();
  });

  it('passes lines to the tail they belong to and ignores what it does not understand', () => {
    const link = start();
    newest().open();
    const lines: string[] = [];
    link.tail({
      attemptId: ATTEMPT,
      stream: 'test',
      nextSeq: () => 0,
      onLines: (got) => lines.push(...got.map(({ text }) => text)),
    });
    newest().say({ type: 'log', attemptId: ATTEMPT, stream: 'serial', lines: [{ seq: 0, at: 0, text: 'other' }] });
    newest().say({ type: 'log', attemptId: ATTEMPT, stream: 'test', lines: [{ seq: 0, at: 0, text: 'mine' }] });
    newest().say({ type: 'nonsense' });
    newest().say({ type: 'changed', topic: 'grid' });
    expect(lines).toEqual(['mine']);
    expect(topics).toEqual(['grid']);
  });
});
