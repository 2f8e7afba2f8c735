import type { LogPage, LogStream } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';
import { createMergedStore, type MergedStore, type Source } from './merged-store.js';

const ATTEMPT = '00000000-0000-4000-8000-000000000000';

const SERIAL: Source = { stream: 'serial' };
const TEST: Source = { stream: 'test' };

/** Streams whose lines came at these times. */
function source(times: Partial<Record<LogStream, number[]>>) {
  const state = { complete: false, fail: false };
  const fetchLines = async ({ stream, role }: Source, from: number, limit: number): Promise<LogPage> => {
    if (state.fail) throw new Error('no connection');
    const whose = role === undefined ? '' : `${role} `;
    const all = (times[stream] ?? []).map((at, seq) => ({ seq, at, text: `${whose}${stream} ${seq}` }));
    const { complete } = state;
    return {
      attemptId: ATTEMPT,
      stream,
      lines: all.slice(from, from + limit),
      total: all.length,
      complete,
      removedAt: null,
    };
  };
  return { state, fetchLines };
}
const shown = (store: MergedStore): string[] =>
  Array.from({ length: store.total() }, (_, index) => {
    const line = store.line(index);
    return typeof line === 'object' ? line.text : String(line);
  });
/** Awaits the end of a fetch of everything. */
async function refreshed(store: MergedStore): Promise<void> {
  await new Promise<void>((resolve) => {
    const stop = store.subscribe(() =>
      setTimeout(() => {
        stop();
        resolve();
      }, 5),
    );
    store.refresh();
  });
}

describe('all streams of an attempt', () => {
  it('stand in the order of time, those of one time in the order of the streams', async () => {
    const { fetchLines } = source({ serial: [1, 5, 9], test: [5, 6] });
    const store = createMergedStore([SERIAL, TEST], fetchLines);
    await refreshed(store);
    expect(shown(store)).toEqual(['serial 0', 'serial 1', 'test 0', 'test 1', 'serial 2']);
    expect(store.origin(3)).toEqual({ stream: 'test', seq: 1 });
    expect(
      await store.find(0, 1, (text, stream) => stream === 'test' && text.endsWith('1'), new AbortController().signal),
    ).toBe(3);
    expect([...(await store.read(1, 2)).keys()]).toEqual([1, 2]);
  });
  it('of two machines stand on one axis, each by the offset of its agent’s clock', async () => {
    const { fetchLines } = source({ serial: [1000, 2000] });
    const store = createMergedStore(
      [
        { stream: 'serial', role: 'server' },
        { stream: 'serial', role: 'client', offsetMs: -999.6 },
      ],
      fetchLines,
    );
    await refreshed(store);
    expect(shown(store)).toEqual(['client serial 0', 'server serial 0', 'client serial 1', 'server serial 1']);
    expect([store.origin(0), store.line(0)]).toEqual([
      { stream: 'serial', seq: 0, role: 'client' },
      { seq: 0, at: 0, text: 'client serial 0' },
    ]);
  });
  it('take what is pushed, each line once, and what a later fetch brings', async () => {
    const times = { serial: [1, 9], test: [5] };
    const { fetchLines, state } = source(times);
    const store = createMergedStore([SERIAL, TEST], fetchLines);
    await refreshed(store);
    store.append(TEST, [
      { seq: 0, at: 5, text: 'again' },
      { seq: 1, at: 7, text: 'pushed' },
    ]);
    expect(shown(store)).toEqual(['serial 0', 'test 0', 'pushed', 'serial 1']);
    times.serial.push(10);
    state.complete = true;
    await refreshed(store);
    expect(shown(store).at(-1)).toBe('serial 2');
    expect(store.complete()).toBe(true);
  });
  it('are not merged when they are too many, and it is said', async () => {
    const { fetchLines } = source({ serial: [1, 2, 3], test: [4, 5] });
    const store = createMergedStore([SERIAL, TEST], fetchLines, 4);
    await refreshed(store);
    expect(store.total()).toBe(0);
    expect(store.refusal()).toBe('5 lines are too many to merge (at most 4): choose one stream.');
  });
  it('say what failed and recover', async () => {
    const { fetchLines, state } = source({ serial: [1] });
    const store = createMergedStore([SERIAL], fetchLines);
    state.fail = true;
    await refreshed(store);
    expect(store.error()?.message).toBe('no connection');
    state.fail = false;
    await refreshed(store);
    expect([store.error(), store.total()]).toEqual([null, 1]);
  });
});
