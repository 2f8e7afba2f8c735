import type { LogPage } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import { createLogStore, type LogStore } from './log-store.js';

const ATTEMPT = '00000000-0000-4000-8000-000000000000';

/** A stream of `total` lines `line N`, without those in `lost`; counts what was asked. */
function source(total: number, lost: ReadonlySet<number> = new Set()) {
  const asked: [number, number][] = [];
  const state = { total, complete: true, fail: false, removedAt: null as string | null };
  const fetchLines = async (from: number, limit: number): Promise<LogPage> => {
    asked.push([from, limit]);
    if (state.fail) throw new Error('no connection');
    const lines = [];
    for (let seq = from; seq < Math.min(state.total, from + limit); seq += 1) {
      if (!lost.has(seq)) lines.push({ seq, at: seq, text: `line ${seq}` });
    }
    return {
      attemptId: ATTEMPT,
      stream: 'serial',
      lines,
      total: state.total,
      complete: state.complete,
      removedAt: state.removedAt,
    };
  };
  return { asked, state, fetchLines };
}

async function changeOf(store: LogStore, act: () => void): Promise<void> {
  await new Promise<void>((resolve) => {
    const stop = store.subscribe(() => {
      stop();
      resolve();
    });
    act();
  });
}

const never = new AbortController().signal;

describe('log store', () => {
  it('learns the total without fetching the whole stream', async () => {
    const { asked, fetchLines } = source(1_000_000);
    const store = createLogStore('serial', fetchLines);
    await changeOf(store, store.refresh);
    expect(store.total()).toBe(1_000_000);
    expect(store.heldCount()).toBeLessThanOrEqual(1000);
    expect(asked).toHaveLength(1);
  });
  it('learns the total with the lines that are looked at first, also where there are fewer by now', async () => {
    const { asked, fetchLines } = source(5000);
    const store = createLogStore('serial', fetchLines, 2345);
    await changeOf(store, store.refresh);
    store.ensure(2340, 2350);
    expect(asked).toEqual([[2000, 1000]]);
    expect([store.total(), store.line(2345)]).toEqual([5000, expect.objectContaining({ text: 'line 2345' })]);
    const shorter = createLogStore('serial', fetchLines, 9999);
    await changeOf(shorter, shorter.refresh);
    expect(shorter.total()).toBe(5000);
  });
  it('fetches a range once, in whole chunks', async () => {
    const { asked, fetchLines } = source(5000);
    const store = createLogStore('serial', fetchLines);
    await changeOf(store, store.refresh);
    await changeOf(store, () => store.ensure(1990, 1995));
    store.ensure(1990, 1995);
    expect(asked.slice(1)).toEqual([[1000, 1000]]);
    expect(store.line(1993)).toMatchObject({ text: 'line 1993' });
    expect(store.line(4000)).toBeUndefined();
  });
  it('shows a line that was asked for and did not come as a gap', async () => {
    const { fetchLines, asked } = source(1500, new Set([7, 1400]));
    const store = createLogStore('serial', fetchLines);
    await changeOf(store, store.refresh);
    expect(store.line(7)).toBe('gap');
    await changeOf(store, () => store.ensure(1390, 1410));
    expect(store.line(1400)).toBe('gap');
    const before = asked.length;
    store.ensure(0, 1499);
    expect(asked).toHaveLength(before);
  });
  it('takes pushed lines, and fetches what a push skipped', async () => {
    const { state, fetchLines } = source(10);
    state.complete = false;
    const store = createLogStore('serial', fetchLines);
    await changeOf(store, store.refresh);
    state.total = 14;
    store.append([{ seq: 13, at: 1, text: 'pushed' }]);
    expect(store.total()).toBe(14);
    expect(store.line(13)).toMatchObject({ text: 'pushed' });
    expect(store.line(11)).toBeUndefined();
    await changeOf(store, () => store.ensure(5, 13));
    expect(store.line(11)).toMatchObject({ text: 'line 11' });
  });
  it('does not hammer a controller that is down, and recovers', async () => {
    const { asked, state, fetchLines } = source(3000);
    const store = createLogStore('serial', fetchLines);
    await changeOf(store, store.refresh);
    state.fail = true;
    await changeOf(store, () => store.ensure(1500, 1505));
    expect(store.error()?.message).toBe('no connection');
    const before = asked.length;
    store.ensure(1500, 1505);
    expect(asked).toHaveLength(before);
    state.fail = false;
    await changeOf(store, store.refresh);
    await changeOf(store, () => store.ensure(1500, 1505));
    expect(store.line(1500)).toMatchObject({ text: 'line 1500' });
  });
  it('finds across what is not loaded, in both directions, and steps over gaps', async () => {
    const { fetchLines, asked } = source(60_000, new Set([31_000]));
    const store = createLogStore('serial', fetchLines);
    await changeOf(store, store.refresh);
    expect(await store.find(0, 1, (text) => text === 'line 31234', never)).toBe(31_234);
    expect(await store.find(59_999, -1, (text) => text === 'line 12', never)).toBe(12);
    expect(await store.find(0, 1, (text) => text === 'nowhere', never)).toBeNull();
    expect(asked.length).toBeLessThan(14);
  });
  it('stops a search that was given up', async () => {
    const { fetchLines, asked } = source(60_000);
    const store = createLogStore('serial', fetchLines);
    await changeOf(store, store.refresh);
    const controller = new AbortController();
    controller.abort();
    expect(await store.find(0, 1, () => true, controller.signal)).toBeNull();
    expect(asked).toHaveLength(1);
  });

  it('knows when retention removed the lines', async () => {
    const { state, fetchLines } = source(0);
    state.removedAt = '2026-11-22T08:00:00.000Z';
    const store = createLogStore('serial', fetchLines);
    expect(store.removedAt()).toBeNull();
    await changeOf(store, store.refresh);
    expect(store.removedAt()).toBe(state.removedAt);
    expect([store.total(), store.complete()]).toEqual([0, true]);
  });
});
