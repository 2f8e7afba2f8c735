import { useEffect, useRef, useState } from 'react';
import type { LogStream } from '@peerlab/contracts';
import { countText } from '../ui/numbers.js';
import type { LogStore } from './log-store.js';

interface FinderState {
  /** What became of the last search; null before the first one. */
  status: string | null;
  run: (start: number, direction: 1 | -1, satisfies: (text: string, stream: LogStream) => boolean) => void;
}

/** Steps to the next line of a kind, fetching what is missing on the way. One step at a time; a new one stops the one before. */
export function useFinder(store: LogStore, onFound: (line: number) => void): FinderState {
  const running = useRef<AbortController | null>(null);
  const [status, setStatus] = useState<string | null>(null);
  useEffect(() => () => running.current?.abort(), []);
  const run = async (...[start, direction, satisfies]: Parameters<FinderState['run']>): Promise<void> => {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    setStatus('searching…');
    const line = await store.find(start, direction, satisfies, controller.signal);
    if (controller.signal.aborted) return;
    if (line === null) {
      setStatus(direction === 1 ? 'nothing further below' : 'nothing further above');
      return;
    }
    setStatus(`line ${countText(line + 1)} of ${countText(store.total())}`);
    onFound(line);
  };
  return { status, run: (...step) => void run(...step) };
}
