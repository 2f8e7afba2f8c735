import { LIVE_CLOSE } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LOOK_BACK_MS } from './cursor-history.js';
import { LiveChannel } from './live-channel.js';
import { SILENCE_MS, type LiveConnectionType } from './live-socket.js';

/** A socket that the test opens, closes and speaks through. */
class ManualSocket extends EventTarget {
  static all: ManualSocket[] = [];
  readyState = 0;
  sent: unknown[] = [];
  constructor(readonly url: string) {
    super();
    ManualSocket.all.push(this);
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(code = 1006): void {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event('close'), { code }));
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

describe('LiveChannel', () => {
  const topics: (string | null)[] = [];
  let returns = 0;
  let token: string | null = null;
  const start = (since: string | null = 'page') =>
    new LiveChannel({
      url: 'http://farm:7470',
      token: () => token,
      WebSocket: ManualSocket as unknown as LiveConnectionType,
      since,
      onChanged: (topic) => topics.push(topic),
      onReturn: () => (returns += 1),
    });
  /** What a controller answers to the first frame. */
  const join = (cursor: string, changed: string[] | null = []): void => {
    newest().open();
    newest().say({ type: 'resumed', cursor, changed });
  };
  beforeEach(() => {
    ManualSocket.all = [];
    topics.length = 0;
    returns = 0;
    token = null;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  });
  afterEach(() => vi.useRealTimers());

  it('subscribes to the topics that are held, each once', async () => {
    const link = start();
    newest().open();
    const stop = link.watch(['runs', 'grid']);
    link.watch(['grid']);
    await Promise.resolve();
    expect(newest().url).toBe('ws://farm:7470/api/v1/live');
    expect(newest().sent.at(-1)).toEqual({ type: 'topics', topics: ['runs', 'grid'], since: 'page' });
    stop();
    await Promise.resolve();
    expect(newest().sent.at(-1)).toEqual({ type: 'topics', topics: ['grid'] });
  });

  it('signs in before all else, and waits for another token when that was refused', () => {
    token = 'first';
    const link = start();
    newest().open();
    expect(newest().sent).toEqual([
      { type: 'sign-in', token: 'first' },
      { type: 'topics', topics: [], since: 'page' },
    ]);
    newest().close(LIVE_CLOSE.token);
    vi.advanceTimersByTime(60_000);
    link.retryNow();
    expect(ManualSocket.all).toHaveLength(1);
    token = 'second';
    link.tokenChanged();
    newest().open();
    expect(newest().sent[0]).toEqual({ type: 'sign-in', token: 'second' });
    join('a');
    expect(link.state).toBe('open');
    link.tokenChanged();
    expect(ManualSocket.all).toHaveLength(2);
  });

  it('asks what changed in the last seconds of topics that are new, and of no others', async () => {
    const link = start();
    join('a', ['grid']);
    expect(newest().sent).toContainEqual({ type: 'topics', topics: [], since: 'page' });
    expect(topics.splice(0)).toEqual(['grid']);
    vi.advanceTimersByTime(LOOK_BACK_MS);
    newest().say({ type: 'cursor', cursor: 'b' });
    vi.advanceTimersByTime(LOOK_BACK_MS - 1);
    newest().say({ type: 'cursor', cursor: 'c' });
    link.watch(['runs']);
    await Promise.resolve();
    expect(newest().sent.at(-1)).toEqual({ type: 'topics', topics: ['runs'], since: 'a' });
    newest().say({ type: 'resumed', cursor: 'd', changed: ['runs'] });
    expect([topics.splice(0), returns]).toEqual([['runs'], 0]);
    vi.advanceTimersByTime(1);
    link.watch(['grid']);
    await Promise.resolve();
    expect(newest().sent.at(-1)).toEqual({ type: 'topics', topics: ['runs', 'grid'], since: 'b' });
    link.watch(['runs'])();
    await Promise.resolve();
    expect(newest().sent.at(-1)).toEqual({ type: 'topics', topics: ['runs', 'grid'] });
  });

  it('still asks for the last seconds of a new topic when the connection is lost before the answer', async () => {
    const link = start();
    join('a');
    link.watch(['runs']);
    await Promise.resolve();
    newest().say({ type: 'cursor', cursor: 'b' });
    newest().close();
    vi.advanceTimersByTime(600);
    newest().open();
    expect(newest().sent).toContainEqual({ type: 'topics', topics: ['runs'], since: 'page' });
    newest().say({ type: 'resumed', cursor: 'c', changed: [] });
    newest().close();
    vi.advanceTimersByTime(600);
    newest().open();
    expect(newest().sent).toContainEqual({ type: 'topics', topics: ['runs'], since: 'c' });
  });

  it('fetches all anew when the page came without a cursor', () => {
    start(null);
    join('a', []);
    expect(topics).toEqual([null]);
  });

  it('returns after a loss with its cursor, resumes topics and tails, and passes on what it missed', () => {
    const link = start();
    join('a');
    link.watch(['runs', 'grid']);
    let next = 3;
    link.tail({ attemptId: ATTEMPT, stream: 'serial', nextSeq: () => next, onLines: () => undefined });
    next = 9;
    newest().say({ type: 'changed', topic: 'runs' });
    newest().say({ type: 'changed', topic: 'grid', cursor: 'b' });
    expect(topics.splice(0)).toEqual(['runs', 'grid']);
    newest().close();
    expect(link.state).toBe('paused');
    expect(link.lostAt).toBeGreaterThan(0);
    vi.advanceTimersByTime(600);
    expect(ManualSocket.all).toHaveLength(2);
    newest().open();
    expect(link.state).toBe('paused');
    expect(newest().sent).toContainEqual({ type: 'topics', topics: ['runs', 'grid'], since: 'b' });
    expect(newest().sent).toContainEqual({ type: 'tail', attemptId: ATTEMPT, stream: 'serial', fromSeq: 9 });
    newest().say({ type: 'resumed', cursor: 'c', changed: ['grid'] });
    expect([link.state, link.lostAt]).toEqual(['open', null]);
    expect(topics.splice(0)).toEqual(['grid']);
    expect(returns).toBe(1);
    newest().close();
    vi.advanceTimersByTime(600);
    join('d', []);
    expect(newest().sent).toContainEqual({ type: 'topics', topics: ['runs', 'grid'], since: 'c' });
    expect([topics, returns]).toEqual([[], 2]);
    newest().close();
    vi.advanceTimersByTime(600);
    join('e', null);
    expect(topics).toEqual([null]);
  });

  it('keeps the older cursor until all that belongs to the newer one has come', () => {
    start();
    join('a');
    newest().say({ type: 'changed', topic: 'runs' });
    newest().close();
    vi.advanceTimersByTime(600);
    newest().open();
    expect(newest().sent).toContainEqual({ type: 'topics', topics: [], since: 'a' });
  });

  it('gives up a connection on which nothing is heard, though nobody closed it', () => {
    const link = start();
    join('a');
    vi.advanceTimersByTime(SILENCE_MS - 1);
    newest().say({ type: 'cursor', cursor: 'b' });
    vi.advanceTimersByTime(SILENCE_MS - 1);
    expect(link.state).toBe('open');
    vi.advanceTimersByTime(1);
    expect(link.state).toBe('paused');
    vi.advanceTimersByTime(600);
    newest().open();
    expect(newest().sent).toContainEqual({ type: 'topics', topics: [], since: 'b' });
  });

  it('waits longer after every failure, but never longer than 15 seconds', () => {
    const link = start();
    for (let tries = 1; tries <= 12; tries += 1) {
      newest().close();
      vi.advanceTimersByTime(15_000);
      expect(ManualSocket.all).toHaveLength(tries + 1);
    }
    newest().close();
    vi.advanceTimersByTime(7_400);
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
